// Signs of lines: colour and shape say the protocol, the filling says the kind.

const plotSigns = (() => {
  const { protocolName } = lineWords;

  const SHAPES = { dt: "circle", r2s: "diamond", ft: "square", restore: "triangle-up" };
  const PATHS = {
    dt: "M12 7A5 5 0 1 1 2 7A5 5 0 1 1 12 7Z",
    r2s: "M7 1L13 7L7 13L1 7Z",
    ft: "M2.5 2.5H11.5V11.5H2.5Z",
    restore: "M7 1.5L13 12H1Z",
  };
  const KIND_NAMES = {
    reported: "reported in a paper",
    measured: "measured",
    verified: "measured and verified",
  };
  const STROKES = { solid: "", dash: "6 3", dot: "2 2", dashdot: "6 3 2 3", longdash: "9 3" };

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
    const kinds = Object.keys(KIND_NAMES).filter((kind) =>
      drawn.some((line) => line.kind === kind),
    );
    return [
      ...protocols.map((protocol) => [
        sign(protocol, "measured"),
        [element("b", {}, protocolName(protocol)), ` ${report.protocols[protocol]}`],
      ]),
      ...kinds.map((kind) => [plainSign(kind), KIND_NAMES[kind]]),
    ];
  }

  return { KIND_NAMES, faded, legend, markedStroke, markers, signsOf, stroke, symbolOf };
})();
