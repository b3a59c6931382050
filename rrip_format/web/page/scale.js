// Magnification and the scale bar, from the size of a pixel.

/** Size of a pixel at 40×, from which the magnification of others follows, µm. */
const MICRONS_AT_1X = 10;
const STEPS = [1, 2, 5];

/** Magnification of level 0: from the size of its pixels, else the objective; null where neither is known. */
export function magnificationOf({ mpp, objective }) {
  if (mpp) return MICRONS_AT_1X / Math.sqrt(mpp[0] * mpp[1]);
  return objective;
}

/**
 * What the buttons offer: name, and the zoom in screen px for one px of level 0.
 *
 * @param {import("../src/metadata.js").SlideInfo} slide
 */
export function zoomChoices(slide) {
  const finest = magnificationOf(slide);
  if (!finest) return [16, 4, 1].map((step) => ({ name: `1:${step}`, zoom: 1 / step }));
  return [1.25, 5, 10, 20, 40].map((power) => ({ name: `${power}×`, zoom: power / finest }));
}

/** A magnification in few digits. */
export function shownMagnification(slide, zoom) {
  const finest = magnificationOf(slide);
  if (!finest) return `${(100 * zoom).toPrecision(3)} %`;
  return `${Number((finest * zoom).toPrecision(3))}×`;
}

/** Length and text of a scale bar of at most `most` screen px. */
export function scaleBar(micronsPerPx, most) {
  const longest = micronsPerPx * most;
  const power = 10 ** Math.floor(Math.log10(longest));
  const microns = power * (STEPS.filter((step) => step * power <= longest).at(-1) ?? 1);
  const text =
    microns >= 1000
      ? `${microns / 1000} mm`
      : microns < 1
        ? `${Number((microns * 1000).toPrecision(3))} nm`
        : `${microns} µm`;
  return { width: microns / micronsPerPx, text };
}
