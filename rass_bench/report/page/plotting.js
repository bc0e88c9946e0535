// What the plots share: words, signs, axes, labels beside points, graphs that follow the page.

const plotting = (() => {
  // Colour and shape say the protocol, the filling says the kind.
  const SHAPES = { dt: "circle", r2s: "diamond", ft: "square", restore: "triangle-up" };
  const PATHS = {
    dt: "M12 7A5 5 0 1 1 2 7A5 5 0 1 1 12 7Z",
    r2s: "M7 1L13 7L7 13L1 7Z",
    ft: "M2.5 2.5H11.5V11.5H2.5Z",
    restore: "M7 1.5L13 12H1Z",
  };
  const KINDS = {
    reported: "reported in a paper",
    measured: "measured",
    verified: "measured and verified",
  };
  const STROKES = { solid: "", dash: "6 3", dot: "2 2", dashdot: "6 3 2 3", longdash: "9 3" };
  const LABELLED = 40;
  const LABEL_HEIGHT = 14;
  const CONFIG = {
    displaylogo: false,
    displayModeBar: "hover",
    doubleClick: "reset",
    // A PNG would pass through a blob, which the page's policy does not let be an image.
    toImageButtonOptions: { format: "svg", filename: "plot" },
    modeBarButtons: [["toImage", "resetScale2d"]],
    plotlyServerURL: "",
    showTips: false,
    typesetMath: false,
  };

  // Words and numbers

  function cut(text, length) {
    const letters = [...text];
    if (letters.length <= length) return text;
    const head = Math.ceil((length - 1) * 0.6);
    return `${letters.slice(0, head).join("")}…${letters.slice(head + 1 - length).join("")}`;
  }

  // By line id: a revision is left out where its model has no other here, and cut where its
  // beginning tells it from the others.
  function shortNames(board) {
    const revisions = new Map();
    const parts = board.lines.flatMap(({ name }) => name.split(" → "));
    for (const part of parts) {
      const [model, revision] = part.split(/@(.*)/s);
      revisions.set(model, (revisions.get(model) ?? new Set()).add(revision));
    }
    const shorten = (part) => {
      const [model, revision] = part.split(/@(.*)/s);
      const others = [...revisions.get(model)].filter((other) => other !== revision);
      if (!revision || !others.length) return model;
      let length = 8;
      const isTaken = () => others.some((other) => other?.startsWith(revision.slice(0, length)));
      while (length < revision.length && isTaken()) length += 1;
      return `${model}@${revision.slice(0, length)}`;
    };
    const named = ({ id, name }) => [id, name.split(" → ").map(shorten).join(" → ")];
    return new Map(board.lines.map(named));
  }

  const shown = (metric, value) => (metric.is_percent ? 100 * value : value);
  const written = (metric, value) =>
    metric.is_percent ? (100 * value).toFixed(2) : String(Number(value.toPrecision(4)));
  const protocolName = (protocol) => protocol.toUpperCase();
  const withInterval = (cell) =>
    cell.ci95 ? `${cell.text} (95 % interval ${cell.ci95_text})` : cell.text;

  // Plotly takes "<b>", "<a href>" and "&lt;" for markup; direction marks must end with the text.
  const isolated = (text) => `\u2068${text}\u2069`;
  const label = (text) =>
    isolated(text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"));

  // A text a row, long ones over several.
  function hover(...texts) {
    const rows = texts.filter(Boolean).flatMap((text) => text.match(/.{1,46}(?:\s|$)|.{1,46}/gsu));
    return rows.map(label).join("<br>");
  }

  // What people must know of a line beside its number.
  function describeLine(line) {
    return hover(
      line.name,
      `${protocolName(line.protocol)}, ${KINDS[line.kind]}`,
      line.kind === "reported" ? line.source : line.device,
      line.test_size && `test size: ${line.test_size}`,
      line.note,
    );
  }

  // Signs and legends

  const faded = (colour, alpha) =>
    colour +
    Math.round(255 * alpha)
      .toString(16)
      .padStart(2, "0");
  const symbolOf = (protocol) => SHAPES[protocol];
  const colourOf = (protocol) => cssColour(`--${protocol}`);

  function markers(marked, size) {
    const outline = (line) =>
      line.kind === "verified" ? cssColour("--ink") : colourOf(line.protocol);
    const filling = (line) =>
      line.kind === "reported" ? cssColour("--card") : colourOf(line.protocol);
    return {
      size,
      symbol: marked.map((line) => symbolOf(line.protocol)),
      color: marked.map(filling),
      line: { width: 1.8, color: marked.map(outline) },
      opacity: 1,
    };
  }

  function drawing(width, ...shapes) {
    const make = (tag, attributes) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      return made;
    };
    const box = { viewBox: `0 0 ${width} 14`, width, height: 14, "aria-hidden": "true" };
    const svg = make("svg", box);
    svg.append(...shapes.map((attributes) => make("path", attributes)));
    return svg;
  }

  const sign = (protocol, kind) =>
    drawing(14, { d: PATHS[protocol], class: `sign ${kind}`, style: `--mark: var(--${protocol})` });
  const plainSign = (kind) =>
    drawing(14, { d: PATHS.dt, class: `sign ${kind}`, style: "--mark: var(--faint)" });
  const dashed = (dash) => ({ d: "M1 7H33", class: "stroke", "stroke-dasharray": STROKES[dash] });
  const stroke = (dash) => drawing(34, { ...dashed(dash), style: "--mark: var(--faint)" });
  const markedStroke = (protocol, { variable, dash }) =>
    drawing(
      34,
      { ...dashed(dash), style: `--mark: var(${variable})` },
      {
        d: PATHS[protocol],
        class: "sign measured",
        style: `--mark: var(${variable})`,
        transform: "translate(11.5 1.5) scale(0.8)",
      },
    );

  function legend(...entries) {
    const rows = entries.map(([sign, text]) => element("li", {}, sign, element("bdi", {}, text)));
    return element("ul", { class: "signs" }, ...rows);
  }

  // The entries of a legend for the protocols and kinds of some lines.
  function signsOf(drawn) {
    const protocols = Object.keys(report.protocols).filter((protocol) =>
      drawn.some((line) => line.protocol === protocol),
    );
    const kinds = Object.keys(KINDS).filter((kind) => drawn.some((line) => line.kind === kind));
    return [
      ...protocols.map((protocol) => [
        sign(protocol, "measured"),
        [element("b", {}, protocolName(protocol)), ` ${report.protocols[protocol]}`],
      ]),
      ...kinds.map((kind) => [plainSign(kind), KINDS[kind]]),
    ];
  }

  // Axes

  function range(values, share = 0.08) {
    const low = Math.min(...values);
    const high = Math.max(...values);
    const pad = share * (high - low) || 0.05 * Math.abs(high) || 1;
    return [low - pad, high + pad];
  }

  const axis = (title) => ({
    title: { text: label(title), standoff: 8, font: { size: 12, color: cssColour("--faint") } },
    gridcolor: cssColour("--line"),
    tickfont: { size: 11, color: cssColour("--faint") },
    zeroline: false,
  });

  // Ticks at round numbers, as many as there is room for.
  function logAxis(title, values, write, room) {
    const [low, high] = range(values.map(Math.log10), 0.07);
    const steps = high - low > 2.5 ? [1] : high - low > 1.2 ? [1, 3] : [1, 2, 3, 5, 7];
    const ticks = [];
    for (let power = Math.floor(low); power <= high; power += 1) {
      ticks.push(...steps.map((step) => step * 10 ** power));
    }
    const inside = ticks.filter((tick) => Math.log10(tick) >= low && Math.log10(tick) <= high);
    const every = Math.ceil((inside.length * 48) / room);
    const tickvals = inside.filter((_, place) => place % every === 0);
    return {
      ...axis(title),
      type: "log",
      range: [low, high],
      tickvals,
      ticktext: tickvals.map(write),
    };
  }

  // Width, height, margin and the two axes, and what all plots have in common.
  const layout = (shape) => ({
    ...shape,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: cssColour("--ink") },
    hovermode: "closest",
    // A finger on a plot scrolls the page.
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    hoverlabel: {
      align: "left",
      bgcolor: cssColour("--card"),
      bordercolor: cssColour("--faint"),
      font: { size: 12, color: cssColour("--ink") },
    },
    modebar: {
      bgcolor: "rgba(0,0,0,0)",
      color: cssColour("--faint"),
      activecolor: cssColour("--ink"),
    },
    showlegend: false,
  });

  // Where a value lies in pixels of a plot's shape.
  function spotOf({ width, height, margin, xaxis, yaxis }, x, y) {
    const share = ({ type, range: [low, high] }, value) =>
      ((type === "log" ? Math.log10(value) : value) - low) / (high - low);
    return {
      x: margin.l + share(xaxis, x) * (width - margin.l - margin.r),
      y: height - margin.b - share(yaxis, y) * (height - margin.t - margin.b),
    };
  }

  // Labels beside points, where there is room

  const ruler = document.createElement("canvas").getContext("2d");
  ruler.font = "11px system-ui, sans-serif";

  function boxesBeside({ x, y, text }) {
    const width = ruler.measureText(text).width + 2;
    const half = LABEL_HEIGHT / 2;
    const beside = (left, middle) => ({
      left,
      right: left + width,
      top: middle - half,
      bottom: middle + half,
    });
    return {
      "middle right": beside(x + 9, y),
      "middle left": beside(x - 9 - width, y),
      "top center": beside(x - width / 2, y - 8 - half),
      "bottom center": beside(x - width / 2, y + 8 + half),
      "top right": beside(x + 5, y - 5 - half),
      "top left": beside(x - 5 - width, y - 5 - half),
      "bottom right": beside(x + 5, y + 5 + half),
      "bottom left": beside(x - 5 - width, y + 5 + half),
    };
  }

  const overlap = (a, b) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const isInside = (box, area) =>
    box.left >= area.left &&
    box.right <= area.right &&
    box.top >= area.top &&
    box.bottom <= area.bottom;

  // The position of each spot's text, the first spots first; null where there is no room.
  function placeLabels(spots, area, strokes) {
    const around = (from, to, reach) => ({
      left: Math.min(from.x, to.x) - reach,
      right: Math.max(from.x, to.x) + reach,
      top: Math.min(from.y, to.y) - reach,
      bottom: Math.max(from.y, to.y) + reach,
    });
    const taken = spots.map((spot) => around(spot, spot, 6));
    taken.push(...strokes.map(([from, to]) => around(from, to, 1)));
    return spots.map((spot, place) => {
      if (place >= LABELLED) return null;
      const free = Object.entries(boxesBeside(spot)).find(
        ([, box]) => isInside(box, area) && !taken.some((other) => overlap(box, other)),
      );
      if (!free) return null;
      taken.push(free[1]);
      return free[0];
    });
  }

  // Points of {line, x, y, label, hover} in a plot's shape; the first are labelled first. Labels
  // keep clear of the strokes: straight ones along an axis, from [x, y] to [x, y].
  function pointTrace(points, shape, strokes = []) {
    const { width, height, margin } = shape;
    const spots = points.map((point) => ({
      ...spotOf(shape, point.x, point.y),
      text: point.label,
    }));
    const area = { left: margin.l, right: width, top: 0, bottom: height - margin.b };
    const drawn = strokes.map((ends) => ends.map(([x, y]) => spotOf(shape, x, y)));
    const places = placeLabels(spots, area, drawn);
    return {
      type: "scatter",
      mode: "markers+text",
      x: points.map((point) => point.x),
      y: points.map((point) => point.y),
      text: points.map((point, place) => (places[place] ? label(point.label) : "")),
      textposition: places.map((place) => place ?? "middle right"),
      textfont: { size: 11, color: cssColour("--ink") },
      hovertext: points.map((point) => point.hover),
      hoverinfo: "text",
      customdata: points.map((point) => point.line.id),
      marker: markers(
        points.map((point) => point.line),
        9,
      ),
      cliponaxis: false,
    };
  }

  const widest = (texts) => Math.max(...texts.map((text) => ruler.measureText(text).width));

  // Texts right of the last points, moved apart where they would cover each other.
  function endLabels(ends, shape) {
    const spots = ends
      .map((end) => ({ ...end, at: spotOf(shape, end.x, end.y) }))
      .sort((a, b) => a.at.y - b.at.y);
    const high = shape.height - shape.margin.b;
    let free = -Infinity;
    for (const spot of spots) {
      spot.top = Math.max(spot.at.y, free);
      free = spot.top + LABEL_HEIGHT;
    }
    free = high + LABEL_HEIGHT / 2;
    for (const spot of spots.toReversed()) {
      spot.top = Math.min(spot.top, free);
      free = spot.top - LABEL_HEIGHT;
    }
    return spots.map(({ x, y, at, top, text }) => ({
      x,
      y,
      text: label(text),
      font: { size: 11, color: cssColour("--ink") },
      xanchor: "left",
      ax: shape.width - shape.margin.r + 14 - at.x,
      ay: top - at.y,
      arrowwidth: 0.8,
      arrowhead: 0,
      standoff: 6,
      arrowcolor: cssColour("--faint"),
      borderpad: 0,
    }));
  }

  const intervals = (metric, cells) => ({
    type: "data",
    symmetric: false,
    array: cells.map(({ ci95, value }) => (ci95 ? shown(metric, ci95[1] - value) : 0)),
    arrayminus: cells.map(({ ci95, value }) => (ci95 ? shown(metric, value - ci95[0]) : 0)),
    color: faded(cssColour("--faint"), 0.5),
    thickness: 1,
    width: 0,
  });

  // Graphs: drawn when they come into view, and again when their width or the theme changes

  const graphs = new Map();

  async function draw(node) {
    const Plotly = await loadPlotly();
    const describe = graphs.get(node);
    if (!describe || !node.clientWidth) return;
    const { data, shape } = describe(node.clientWidth);
    node.style.minHeight = `${shape.height}px`;
    const isNew = !node.classList.contains("drawn");
    node.classList.add("drawn");
    await Plotly.react(node, data, layout(shape), CONFIG);
    if (!isNew) return;
    node.on("plotly_click", ({ points, event }) => {
      const [point] = points;
      // A finger's click shows what hovering does.
      if (event.pointerType !== "touch" && point.customdata) {
        location.hash = `#/model/${point.customdata}`;
      }
    });
  }

  function forget(node) {
    graphs.delete(node);
    widths.unobserve(node);
    sight.unobserve(node);
    if (node.classList.contains("drawn")) Plotly.purge(node);
  }

  const sight = new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) {
        if (!isIntersecting) continue;
        sight.unobserve(target);
        widths.observe(target);
      }
    },
    { rootMargin: "300px" },
  );

  const widths = new ResizeObserver((sizes) => {
    for (const { target } of sizes) {
      if (!target.isConnected) forget(target);
      else if (target.clientWidth !== Number(target.dataset.width)) {
        target.dataset.width = target.clientWidth;
        draw(target);
      }
    }
  });

  let followsTheme = false;

  // A node that draws {data, shape} of describe(width).
  function graph(name, height, describe) {
    if (!followsTheme) onThemeChange(redrawAll);
    followsTheme = true;
    const node = element("div", { class: "graph", role: "img", "aria-label": name });
    node.style.minHeight = `${height}px`;
    graphs.set(node, describe);
    sight.observe(node);
    return node;
  }

  // Nodes of views that the page has left.
  function forgetGone() {
    for (const node of graphs.keys()) {
      if (!node.isConnected) forget(node);
    }
  }

  function redraw(node) {
    if (node.classList.contains("drawn")) draw(node);
  }

  function redrawAll() {
    for (const node of graphs.keys()) redraw(node);
  }

  return {
    axis,
    cut,
    describeLine,
    endLabels,
    faded,
    forgetGone,
    graph,
    hover,
    intervals,
    legend,
    logAxis,
    markedStroke,
    markers,
    pointTrace,
    protocolName,
    range,
    redraw,
    shortNames,
    shown,
    signsOf,
    stroke,
    symbolOf,
    widest,
    withInterval,
    written,
  };
})();
