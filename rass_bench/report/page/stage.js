// Two views of an image: one beside the other, or divided by a slider; the same zoom for both.

// What the stage shows is given by show(left, right, size); size is that of the picture. A view is
// {source, mask, name}: the address of a photo, an ImageData over it or null, and what it is.
// `state` holds mode, divider, mask, zoom and centre, and outlives the stage; `onpoint` is called
// with the shares of width and height under the pointer, or with null.
const makeStage = (() => {
  const ZOOMS = [1, 2, 3, 4, 6, 8, 12];
  const GAP = 8;
  const HIGHEST = 0.82;
  const WORTH_WHOLE = 0.75;
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  // Device pixels a picture's pixel, so that it fits; whole unless that wastes much of the room.
  function fit(size, room) {
    const scale = Math.min(room.width / size.width, room.height / size.height);
    const whole = Math.floor(scale);
    return whole >= WORTH_WHOLE * scale ? whole : scale;
  }

  function makeView(side) {
    const photo = element("img", { alt: "", draggable: "false" });
    const mask = element("canvas", { class: "mask" });
    const world = element("div", { class: "world" }, photo, mask);
    const caption = element("span", { class: "caption" });
    const node = element("div", { class: `view ${side}`, role: "img" }, world, caption);
    return { node, world, photo, mask, caption };
  }

  function paint(view, { source, mask, name }) {
    view.photo.src = source;
    view.node.setAttribute("aria-label", name);
    view.caption.textContent = name;
    view.mask.hidden = mask === null;
    if (mask === null) return;
    view.mask.width = mask.width;
    view.mask.height = mask.height;
    view.mask.getContext("2d").putImageData(mask, 0, 0);
  }

  class Stage {
    constructor(state, onpoint) {
      this.state = state;
      this.onpoint = onpoint;
      this.size = null;
      this.views = ["left", "right"].map(makeView);
      this.handle = element("div", {
        class: "handle",
        role: "slider",
        tabindex: 0,
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-label": "Divider between the views",
      });
      const [left, right] = this.views;
      this.stage = element("div", { class: "stage" }, left.node, right.node, this.handle);
      this.node = element("div", { class: "room" }, this.stage);
      this.pointers = new Map();
      this.handle.addEventListener("keydown", (event) => this.#moveByKey(event));
      this.#listen();
      new ResizeObserver(() => this.place()).observe(this.node);
    }

    show(left, right, size) {
      this.size = size;
      [left, right].forEach((shown, place) => paint(this.views[place], shown));
      this.place();
    }

    // Everything at its place: after a change of the state, the pictures or the room.
    place() {
      if (!this.size || !this.node.clientWidth) return;
      const { state, stage, views } = this;
      const isSplit = state.mode === "slider";
      const frame = this.#frame();
      stage.classList.toggle("split", isSplit);
      stage.classList.toggle("zoomed", state.zoom > 0);
      stage.style.setProperty("--mask", state.mask / 100);
      stage.style.setProperty("--divider", `${state.divider}%`);
      stage.style.setProperty("--width", `${frame.width}px`);
      stage.style.setProperty("--height", `${frame.height}px`);
      this.handle.hidden = !isSplit;
      this.handle.setAttribute("aria-valuenow", Math.round(state.divider));
      this.handle.setAttribute("aria-valuetext", `${Math.round(state.divider)} % is the left view`);
      for (const { world } of views) {
        world.style.width = `${frame.world.width}px`;
        world.style.height = `${frame.world.height}px`;
        world.style.transform = `translate(${frame.x}px, ${frame.y}px)`;
        world.classList.toggle("coarse", frame.scale >= 3);
      }
      this.frame = frame;
    }

    // In CSS pixels, such that pictures lie on whole device pixels.
    #frame() {
      const { state, size, node } = this;
      const dots = devicePixelRatio;
      const isNarrow = node.clientWidth < 2 * 240;
      const columns = state.mode === "slider" || isNarrow ? 1 : 2;
      const room = {
        width: ((node.clientWidth - GAP * (columns - 1)) / columns) * dots,
        height: HIGHEST * innerHeight * dots,
      };
      const base = fit(size, room);
      const scale = base * ZOOMS[state.zoom];
      const inDots = (length) => Math.round(length) / dots;
      const [width, height] = [inDots(size.width * base), inDots(size.height * base)];
      const world = { width: inDots(size.width * scale), height: inDots(size.height * scale) };
      const half = 0.5 / ZOOMS[state.zoom];
      state.centre = {
        x: clamp(state.centre.x, half, 1 - half),
        y: clamp(state.centre.y, half, 1 - half),
      };
      const x = inDots((width / 2 - state.centre.x * world.width) * dots);
      const y = inDots((height / 2 - state.centre.y * world.height) * dots);
      return { width, height, world, x, y, scale };
    }

    // Shares of the picture's width and height under a pointer; null outside of both views.
    #under(event) {
      for (const { node } of this.views) {
        const box = node.getBoundingClientRect();
        const [x, y] = [event.clientX - box.left, event.clientY - box.top];
        if (x < 0 || y < 0 || x >= box.width || y >= box.height) continue;
        const { frame } = this;
        return {
          x: (x - frame.x) / frame.world.width,
          y: (y - frame.y) / frame.world.height,
          inView: { x: x / box.width, y: y / box.height },
        };
      }
      return null;
    }

    // Zooms by steps; what lies under the spot stays there.
    zoomBy(steps, spot = { ...this.state.centre, inView: { x: 0.5, y: 0.5 } }) {
      const { state } = this;
      state.zoom = clamp(state.zoom + steps, 0, ZOOMS.length - 1);
      const shift = (axis) => spot[axis] + (0.5 - spot.inView[axis]) / ZOOMS[state.zoom];
      state.centre = { x: shift("x"), y: shift("y") };
      this.place();
    }

    panBy(x, y) {
      const { state, frame } = this;
      state.centre.x -= x / frame.world.width;
      state.centre.y -= y / frame.world.height;
      this.place();
    }

    divideAt(share) {
      this.state.divider = clamp(share, 0, 100);
      this.place();
    }

    #moveByKey(event) {
      const step = event.shiftKey ? 10 : 2;
      const { divider } = this.state;
      const target = {
        ArrowLeft: divider - step,
        ArrowDown: divider - step,
        PageDown: divider - 10,
        ArrowRight: divider + step,
        ArrowUp: divider + step,
        PageUp: divider + 10,
        Home: 0,
        End: 100,
      }[event.key];
      if (target === undefined) return;
      event.preventDefault();
      this.divideAt(target);
    }

    #listen() {
      const { stage, pointers } = this;
      stage.addEventListener("pointerdown", (event) => this.#press(event));
      stage.addEventListener("pointermove", (event) => this.#move(event));
      for (const kind of ["pointerup", "pointercancel"]) {
        stage.addEventListener(kind, (event) => pointers.delete(event.pointerId));
      }
      stage.addEventListener("pointerleave", ({ pointerType }) => {
        // What a finger has pointed at stays readable.
        if (pointerType === "touch") return;
        stage.classList.remove("pointed");
        this.onpoint(null);
      });
      // A wheel alone scrolls the page, as everywhere.
      stage.addEventListener(
        "wheel",
        (event) => {
          const spot = this.#under(event);
          if (!(event.ctrlKey || event.metaKey) || !spot) return;
          event.preventDefault();
          this.zoomBy(event.deltaY < 0 ? 1 : -1, spot);
        },
        { passive: false },
      );
    }

    #press(event) {
      if (event.button !== 0 || !this.frame) return;
      this.stage.setPointerCapture(event.pointerId);
      const divides =
        event.target === this.handle || (this.state.mode === "slider" && this.state.zoom === 0);
      this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, divides });
      this.spread = this.#spread();
      if (event.target !== this.handle) event.preventDefault();
      this.#move(event);
    }

    #spread() {
      const [a, b] = this.pointers.values();
      return b ? Math.hypot(a.x - b.x, a.y - b.y) : null;
    }

    #move(event) {
      if (!this.frame) return;
      const spot = this.#under(event);
      this.#point(spot);
      const pressed = this.pointers.get(event.pointerId);
      if (!pressed) return;
      const [dx, dy] = [event.clientX - pressed.x, event.clientY - pressed.y];
      Object.assign(pressed, { x: event.clientX, y: event.clientY });
      if (this.pointers.size === 2) this.#pinch(spot);
      else if (pressed.divides) this.#drag(event);
      else if (this.state.zoom > 0) this.panBy(dx, dy);
    }

    #drag(event) {
      const box = this.views[0].node.getBoundingClientRect();
      this.divideAt((100 * (event.clientX - box.left)) / box.width);
    }

    // Two fingers, half as far apart again, are a step of the zoom.
    #pinch(spot) {
      const spread = this.#spread();
      const step = spread > 1.5 * this.spread ? 1 : spread < this.spread / 1.5 ? -1 : 0;
      if (!step || !spot) return;
      this.spread = spread;
      this.zoomBy(step, spot);
    }

    #point(spot) {
      const isInside = spot && spot.x >= 0 && spot.x < 1 && spot.y >= 0 && spot.y < 1;
      this.stage.classList.toggle("pointed", Boolean(isInside));
      if (isInside) {
        this.stage.style.setProperty("--x", `${100 * spot.inView.x}%`);
        this.stage.style.setProperty("--y", `${100 * spot.inView.y}%`);
      }
      this.onpoint(isInside ? spot : null);
    }
  }

  return (state, onpoint) => new Stage(state, onpoint);
})();
