// A place as the part of an address behind #: column and row of the centre in px of level 0, zoom, degrees.

/** What an address names, null if it is none. */
export function parsePlace(hash) {
  const numbers = hash.replace("#", "").split(",").map(Number);
  if (numbers.length < 3 || numbers.length > 4 || !numbers.every(Number.isFinite) || !(numbers[2] > 0)) return null;
  const [x, y, zoom, degrees = 0] = numbers;
  return { x, y, zoom, degrees };
}

/** The other way round. */
export function formatPlace({ x, y, zoom, degrees }) {
  const turned = ((Math.round(degrees) % 360) + 360) % 360;
  return `#${Math.round(x)},${Math.round(y)},${Number(zoom.toPrecision(4))}${turned ? `,${turned}` : ""}`;
}
