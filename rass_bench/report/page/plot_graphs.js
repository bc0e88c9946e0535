// Graphs: drawn when they come into view, and again when their width or the theme changes.

const plotGraphs = (() => {
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

  return { forgetGone, graph, redraw };
})();
