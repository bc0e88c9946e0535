// The image browser: what models made of an image, side by side, and where they were wrong.

const showImages = (() => {
  const { readPixels, readClasses, compare, paintErrors } = labelMaps;
  const { errorPart, classPart, scorePart, recipePart, readout } = imageFacts;
  const { byQuality, cut, isRanked, protocolName } = lineWords;
  const MODES = { slider: "Slider", side: "Side by side" };

  // What a reader chose, by board: it stays from image to image.
  const choices = new Map();

  function choiceOf(board) {
    if (!choices.has(board.id)) {
      choices.set(board.id, {
        left: null,
        right: null,
        mode: "slider",
        divider: 50,
        mask: 70,
        zoom: 0,
        centre: { x: 0.5, y: 0.5 },
      });
    }
    return choices.get(board.id);
  }

  // The views of a picture: those that it holds, and the errors of each prediction.
  function viewsOf(board, picture, names) {
    const hasTruth = board.classes && picture.layers.some((layer) => layer.kind === "truth");
    return picture.layers.flatMap((layer, place) => {
      const { kind, line, title } = layer;
      const group =
        line === null ? "Data set" : `${names.get(line)} (${protocolName(lineOf(line).protocol)})`;
      const name = line === null ? title : `${kind}: ${group}`;
      const view = { key: `${kind} ${line ?? ""}`, kind, line, place, group, name };
      if (kind !== "prediction" || !hasTruth) return [view];
      return [view, { ...view, key: `errors ${line}`, kind: "errors", name: `errors: ${group}` }];
    });
  }

  // The views that were chosen before, or those that say most: of predictions the best line's.
  function settle(choice, views, board) {
    const [metric] = board.metrics;
    const ranked = board.lines.filter((line) => metric && isRanked(line, metric));
    const order = ranked.sort(byQuality(metric)).map((line) => line.id);
    const placeOf = ({ line }) => (order.includes(line) ? order.indexOf(line) : order.length);
    const best = views.toSorted((a, b) => placeOf(a) - placeOf(b));
    const keys = new Set(views.map((view) => view.key));
    const first = (...kinds) =>
      kinds.map((kind) => best.find((view) => view.kind === kind)).find(Boolean) ?? views[0];
    if (!keys.has(choice.left)) choice.left = first("photo").key;
    if (!keys.has(choice.right)) {
      choice.right = first("prediction", "restored", "truth", "reference").key;
    }
  }

  // Reading a picture's layers, each once

  function openPicture(board, index) {
    const picture = board.pictures[index];
    const uris = loadUris(board, index);
    const read = new Map();
    const classes = async (place) => {
      if (!read.has(place)) {
        read.set(
          place,
          readPixels(uris[place]).then((pixels) => ({
            pixels,
            ids: readClasses(pixels, board.classes.colours),
          })),
        );
      }
      return read.get(place);
    };
    const placeOf = (kind) => picture.layers.findIndex((layer) => layer.kind === kind);
    const [truth, photo] = [placeOf("truth"), placeOf("photo")];
    return {
      picture,
      uris,
      classes,
      truth: truth < 0 ? null : () => classes(truth),
      photo: uris[photo < 0 ? 0 : photo],
    };
  }

  // What the stage shows of a view, the classes of its pixels and how they compare to the truth.
  async function prepare(board, opened, view) {
    const { name } = view;
    const isMap = board.classes && ["truth", "prediction", "errors"].includes(view.kind);
    if (!isMap) return { view, source: opened.uris[view.place], mask: null, name };
    const { pixels, ids } = await opened.classes(view.place);
    const truth = view.kind === "truth" || !opened.truth ? null : (await opened.truth()).ids;
    const isComparable = truth !== null && truth.length === ids.length;
    const result = isComparable ? compare(truth, ids, board.classes.names.length) : null;
    const mask =
      view.kind === "errors" && isComparable
        ? paintErrors(truth, ids, pixels.width, {
            right: cssColour("--right"),
            wrong: cssColour("--wrong"),
            ignored: cssColour("--ignored"),
          })
        : pixels;
    return { view, source: opened.photo, mask, name, ids, width: pixels.width, result };
  }

  // Parts of the page

  function viewSelect(title, views, chosen, onchange) {
    const groups = Map.groupBy(views, (view) => view.group);
    const option = (view) =>
      element("option", { value: view.key, selected: view.key === chosen }, cut(view.name, 44));
    const select = element(
      "select",
      { "aria-label": `${title} view`, onchange: (event) => onchange(event.target.value) },
      ...[...groups].map(([group, members]) =>
        element("optgroup", { label: group }, ...members.map(option)),
      ),
    );
    return element("label", {}, title, select);
  }

  function modeButtons(state, onchange) {
    const buttons = Object.entries(MODES).map(([mode, title]) =>
      element(
        "button",
        {
          type: "button",
          "aria-pressed": String(state.mode === mode),
          onclick: () => {
            state.mode = mode;
            for (const one of buttons) one.setAttribute("aria-pressed", one.dataset.mode === mode);
            onchange();
          },
          "data-mode": mode,
        },
        title,
      ),
    );
    return element("div", { class: "joined", role: "group", "aria-label": "Comparison" }, buttons);
  }

  function zoomButtons(stage) {
    const button = (text, name, steps) =>
      element(
        "button",
        { type: "button", "aria-label": name, onclick: () => stage.zoomBy(steps) },
        text,
      );
    return element(
      "div",
      { class: "joined", role: "group", "aria-label": "Zoom" },
      button("−", "Zoom out", -1),
      button("Fit", "Fit the whole image", -Infinity),
      button("+", "Zoom in", 1),
    );
  }

  function opacityRange(state, stage) {
    const range = element("input", {
      type: "range",
      min: 0,
      max: 100,
      value: state.mask,
      oninput: (event) => {
        state.mask = Number(event.target.value);
        stage.place();
      },
    });
    return element("label", {}, "Opacity of masks", range);
  }

  // Moving from image to image

  function picker(board, index, go) {
    const last = board.pictures.length - 1;
    const step = (text, name, target) =>
      element(
        "button",
        {
          type: "button",
          "aria-label": name,
          disabled: target < 0 || target > last,
          onclick: () => go(target),
        },
        text,
      );
    const options = board.pictures.map((picture, place) =>
      element(
        "option",
        { value: place, selected: place === index },
        `${place + 1} · ${cut(picture.id, 60)}`,
      ),
    );
    return element(
      "div",
      { class: "controls picker" },
      element(
        "div",
        { class: "joined" },
        step("←", "Image before", index - 1),
        step("→", "Next image", index + 1),
      ),
      element(
        "select",
        { "aria-label": "Image", onchange: (event) => go(Number(event.target.value)) },
        options,
      ),
      element("span", { class: "position" }, `${index + 1} of ${board.pictures.length}`),
    );
  }

  function strip(board, index, go) {
    const thumbnails = board.pictures.map((picture, place) =>
      element("button", {
        type: "button",
        class: "thumbnail",
        title: picture.id,
        onclick: () => go(place),
        "aria-label": `Image ${place + 1}`,
        "aria-current": place === index && "true",
      }),
    );
    const node = element(
      "div",
      { class: "strip", role: "group", "aria-label": "Images" },
      thumbnails,
    );
    const sight = new IntersectionObserver(
      (seen) => {
        for (const { target, isIntersecting } of seen) {
          if (!isIntersecting) continue;
          sight.unobserve(target);
          const [uri] = loadUris(board, thumbnails.indexOf(target));
          target.append(element("img", { src: uri, alt: "" }));
        }
      },
      { root: node, rootMargin: "0px 200px" },
    );
    for (const thumbnail of thumbnails) sight.observe(thumbnail);
    return { node, thumbnails };
  }

  function markThumbnail({ node, thumbnails }, index) {
    thumbnails.forEach((thumbnail, place) => {
      if (place === index) thumbnail.setAttribute("aria-current", "true");
      else thumbnail.removeAttribute("aria-current");
    });
    const { offsetLeft, offsetWidth } = thumbnails[index];
    node.scrollLeft = offsetLeft - node.offsetLeft - (node.clientWidth - offsetWidth) / 2;
  }

  // All of it

  function leftOut(board) {
    if (!board.images_left_out) return null;
    const here = board.pictures.length;
    return element(
      "p",
      { class: "small" },
      `${here} of ${here + board.images_left_out} images with predictions are here; ${board.images_left_out} were left out to keep the page small.`,
    );
  }

  class Browser {
    constructor(board, container) {
      this.board = board;
      this.container = container;
      this.choice = choiceOf(board);
      this.names = lineWords.shortNames(board);
      this.stage = makeStage(this.choice, (spot) => this.point?.(spot));
      this.picker = element("div");
      this.views = element("div", { class: "controls" });
      this.readout = element("p", { class: "readout" });
      this.title = element("p", { class: "photo-id" });
      this.below = element("div", { class: "parts" });
      this.beside = element("div", { class: "parts" });
      this.strip = strip(board, 0, (index) => this.go(index));
      this.keys = (event) => this.press(event);
    }

    start(index) {
      const { board, choice, stage } = this;
      const tools = element(
        "div",
        { class: "controls tools" },
        modeButtons(choice, () => stage.place()),
        zoomButtons(stage),
        board.classes ? opacityRange(choice, stage) : null,
      );
      const main = element(
        "div",
        { class: "looked-at" },
        this.title,
        this.views,
        tools,
        stage.node,
        this.readout,
        this.below,
      );
      this.container.append(
        ...[
          this.picker,
          this.strip.node,
          element("div", { class: "browser" }, main, this.beside),
          leftOut(board),
        ].filter(Boolean),
      );
      addEventListener("keydown", this.keys);
      return this.show(index);
    }

    // To another image, in place: the focus stays on what the reader uses.
    go(index) {
      if (index < 0 || index >= this.board.pictures.length || index === this.index) return;
      history.pushState(null, "", `#/images/${this.board.id}/${index}`);
      say(`Image ${index + 1} of ${this.board.pictures.length}`);
      this.show(index);
    }

    async show(index) {
      const { board } = this;
      this.index = index;
      this.opened = openPicture(board, index);
      const { picture } = this.opened;
      const focused = this.picker.contains(document.activeElement)
        ? [...this.picker.querySelectorAll("button, select")].indexOf(document.activeElement)
        : -1;
      this.picker.replaceChildren(picker(board, index, (target) => this.go(target)));
      const controls = [...this.picker.querySelectorAll("button, select")];
      if (focused >= 0)
        controls
          .slice(focused)
          .concat(controls.at(-1))
          .find((one) => !one.disabled)
          .focus();
      this.title.replaceChildren(element("bdi", {}, picture.id));
      markThumbnail(this.strip, index);
      await this.compareViews();
    }

    async compareViews() {
      const { board, opened, choice } = this;
      const views = viewsOf(board, opened.picture, this.names);
      settle(choice, views, board);
      const change = (side) => (key) => {
        choice[side] = key;
        this.compareViews();
      };
      if (this.listed !== opened) {
        this.listed = opened;
        this.views.replaceChildren(
          viewSelect("Left", views, choice.left, change("left")),
          viewSelect("Right", views, choice.right, change("right")),
        );
      }
      const chosen = ["left", "right"].map((side) => ({
        ...views.find((view) => view.key === choice[side]),
        side,
      }));
      const shown = await Promise.all(chosen.map((view) => prepare(board, opened, view)));
      const { picture } = opened;
      const classes = await classPart(board, opened, shown);
      const scores = await scorePart({ board, picture, shown, names: this.names });
      // Another image or view was asked for meanwhile.
      const isStale =
        opened !== this.opened || chosen.some((view) => view.key !== choice[view.side]);
      if (isStale || !this.container.isConnected) return;
      this.stage.show(...shown, picture);
      const { output, point } = readout(board, opened, shown);
      this.point = point;
      this.readout.replaceWith(output);
      this.readout = output;
      this.below.replaceChildren(...[errorPart(shown), recipePart(picture)].filter(Boolean));
      this.beside.replaceChildren(...[classes, scores].filter(Boolean));
    }

    press(event) {
      if (!this.container.isConnected) return removeEventListener("keydown", this.keys);
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input, select, textarea, [role=slider], .scroll")) return;
      const { index, stage } = this;
      const step = 40;
      const actions = event.shiftKey
        ? {
            ArrowLeft: () => stage.panBy(step, 0),
            ArrowRight: () => stage.panBy(-step, 0),
            ArrowUp: () => stage.panBy(0, step),
            ArrowDown: () => stage.panBy(0, -step),
            "+": () => stage.zoomBy(1),
          }
        : {
            ArrowLeft: () => this.go(index - 1),
            ArrowRight: () => this.go(index + 1),
            "+": () => stage.zoomBy(1),
            "-": () => stage.zoomBy(-1),
            0: () => stage.zoomBy(-Infinity),
          };
      if (!Object.hasOwn(actions, event.key)) return;
      event.preventDefault();
      actions[event.key]();
    }
  }

  return (board, container, index) => {
    if (!board.pictures.length) {
      container.append(
        element("p", { class: "small" }, "No images of this data set are in the report."),
      );
      return;
    }
    container.classList.add("images");
    new Browser(board, container).start(Math.min(index, board.pictures.length - 1));
  };
})();
