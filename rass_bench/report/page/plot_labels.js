// Texts in plots: beside points where there is room, and under the pointer.

const plotLabels = (() => {
  const { protocolName } = lineWords;
  const { KIND_NAMES, markers } = plotSigns;
  const { label } = plotAxes;

  const LABELLED = 40;
  const LABEL_HEIGHT = 14;

  // A text a row, long ones over several.
  function hover(...texts) {
    const rows = texts.filter(Boolean).flatMap((text) => text.match(/.{1,46}(?:\s|$)|.{1,46}/gsu));
    return rows.map(label).join("<br>");
  }

  // What people must know of a line beside its number.
  function describeLine(line) {
    return hover(
      line.name,
      `${protocolName(line.protocol)}, ${KIND_NAMES[line.kind]}`,
      line.kind === "reported" ? line.source : line.device,
      line.test_size && `test size: ${line.test_size}`,
      line.note,
    );
  }

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

  return { describeLine, endLabels, hover, pointTrace, widest };
})();
