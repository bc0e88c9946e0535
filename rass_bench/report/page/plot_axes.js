// Axes of plots, and the bars of intervals.

const plotAxes = (() => {
  const { shown } = lineWords;
  const { faded } = plotSigns;

  // Plotly takes "<b>", "<a href>" and "&lt;" for markup; direction marks must end with the text.
  const isolated = (text) => `\u2068${text}\u2069`;
  const label = (text) =>
    isolated(text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"));

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

  // Of an axis, with no room for shares that cannot be.
  function rangeOf(metric, values) {
    if (!values.length) return [0, 1];
    const [low, high] = range(values.map((value) => shown(metric, value)));
    return metric.is_percent ? [Math.max(low, -2), Math.min(high, 102)] : [low, high];
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

  return { axis, intervals, label, logAxis, range, rangeOf };
})();
