// What is said of a line: short names, and numbers in the unit that people read them in.

const lineWords = (() => {
  function cut(text, length) {
    const letters = [...text];
    if (letters.length <= length) return text;
    const head = Math.ceil((length - 1) * 0.6);
    return `${letters.slice(0, head).join("")}…${letters.slice(head + 1 - length).join("")}`;
  }

  function sharedLength(one, other) {
    let length = 0;
    while (length < one.length && one[length] === other[length]) length += 1;
    return length;
  }

  // By line id: a revision is left out where its model has no other here. Where it has, the line is
  // called as its record, or else by as much of the revision as tells it from the others.
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
      const shared = Math.max(...others.map((other) => sharedLength(revision, other ?? "")));
      return `${model}@${revision.slice(0, Math.max(8, shared + 1))}`;
    };
    const hasSiblings = (part) => revisions.get(part.split(/@(.*)/s)[0]).size > 1;
    const named = ({ id, name, record }) => {
      const parts = name.split(" → ");
      const usesRecord = record !== null && parts.some(hasSiblings);
      return [id, usesRecord ? record : parts.map(shorten).join(" → ")];
    };
    return new Map(board.lines.map(named));
  }

  const shown = (metric, value) => (metric.is_percent ? 100 * value : value);
  const written = (metric, value) =>
    metric.is_percent ? (100 * value).toFixed(2) : String(Number(value.toPrecision(4)));
  const protocolName = (protocol) => protocol.toUpperCase();
  const withInterval = (cell) =>
    cell.ci95 ? `${cell.text} (95 % interval ${cell.ci95_text})` : cell.text;

  const cellOf = (line, metric) => line.cells[metric.id];
  const isKnown = (line, metric) => typeof cellOf(line, metric)?.value === "number";
  const isRanked = (line, metric) => isKnown(line, metric) && cellOf(line, metric).rank !== null;
  const byQuality = (metric) => (a, b) =>
    (metric.higher_is_better ? 1 : -1) * (cellOf(b, metric).value - cellOf(a, metric).value);
  const higherOrLower = (metric) => (metric.higher_is_better ? "Higher" : "Lower");

  const titleOf = ({ id, heading }) =>
    id.startsWith("psnr/") && !heading.includes("dB") ? `${heading} dB` : heading;

  // Who is not drawn, and why.
  function leftOut(apart, metric) {
    if (!apart.length) return null;
    const named = apart
      .slice(0, 3)
      .map((line) => `${cut(line.name, 60)} (${cellOf(line, metric).not_ranked})`);
    const more = apart.length > 3 ? `; ${apart.length - 3} more` : "";
    return `Left out, as it stands in no ranking: ${named.join("; ")}${more}.`;
  }

  return {
    byQuality,
    cellOf,
    cut,
    higherOrLower,
    isKnown,
    isRanked,
    leftOut,
    protocolName,
    shortNames,
    shown,
    titleOf,
    withInterval,
    written,
  };
})();
