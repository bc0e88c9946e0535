// Label maps in a label space's exact colours: their classes, and how two of them differ.

const labelMaps = (() => {
  const NONE = -1;

  // A picture's pixels, as an ImageData. Data URIs leave a canvas readable.
  async function readPixels(uri) {
    const image = new Image();
    image.src = uri;
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  }

  // Class ids by pixel; NONE where the map is transparent.
  function readClasses({ data }, colours) {
    const idOf = new Map(colours.map((colour, id) => [parseInt(colour.slice(1), 16), id]));
    return Int16Array.from({ length: data.length / 4 }, (_, pixel) => {
      const [red, green, blue, alpha] = data.subarray(4 * pixel, 4 * pixel + 4);
      return alpha === 0 ? NONE : (idOf.get((red << 16) | (green << 8) | blue) ?? NONE);
    });
  }

  // Pixels that are right, wrong and ignored, the accuracy, and the IoU of the classes in the
  // truth. Where the truth says nothing, a prediction is neither right nor wrong; where only the
  // prediction says nothing, it is wrong.
  function compare(truth, predicted, classes) {
    const [common, inTruth, inEither] = [0, 1, 2].map(() => new Uint32Array(classes));
    let right = 0;
    let ignored = 0;
    truth.forEach((wanted, pixel) => {
      if (wanted === NONE) {
        ignored += 1;
        return;
      }
      const found = predicted[pixel];
      inTruth[wanted] += 1;
      inEither[wanted] += 1;
      if (found === wanted) {
        common[wanted] += 1;
        right += 1;
      } else if (found !== NONE) inEither[found] += 1;
    });
    const judged = truth.length - ignored;
    const present = [...inTruth.keys()].filter((id) => inTruth[id] > 0);
    const ious = new Map(present.map((id) => [id, common[id] / inEither[id]]));
    const total = [...ious.values()].reduce((sum, iou) => sum + iou, 0);
    return {
      right,
      wrong: judged - right,
      ignored,
      ious,
      accuracy: judged ? right / judged : null,
      meanIou: present.length ? total / present.length : null,
    };
  }

  // A picture of what is right, wrong and ignored, in colours of #rrggbb.
  function paintErrors(truth, predicted, width, colours) {
    const image = new ImageData(width, truth.length / width);
    const paint = new Uint32Array(image.data.buffer);
    const [right, wrong, ignored] = [colours.right, colours.wrong, colours.ignored].map(
      (colour) =>
        new Uint32Array(
          new Uint8ClampedArray([...colour.match(/\w\w/g).map((part) => parseInt(part, 16)), 255])
            .buffer,
        )[0],
    );
    truth.forEach((wanted, pixel) => {
      paint[pixel] = wanted === NONE ? ignored : predicted[pixel] === wanted ? right : wrong;
    });
    return image;
  }

  function countClasses(ids) {
    const counts = new Map();
    for (const id of ids) {
      if (id !== NONE) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }

  return { NONE, readPixels, readClasses, compare, paintErrors, countClasses };
})();
