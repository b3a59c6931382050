// Runs the conformance set over HTTP, in Node or in a browser: every valid, invalid and strict case, as its README says.

import { BASE_LEVEL, Coding } from "../src/coding.js";
import { Core, RripError, Slide, parseJson, readCoding, readMetadata } from "../src/index.js";
import { plain } from "../src/json.js";
import { Pool, loadWasm } from "../src/pool.js";

/** The tiles beside a `case.json`, all at one place, as a container. */
class TilesOfCase {
  constructor(folder, tiles, coding) {
    Object.assign(this, { folder, tiles, metadata: { coding, slide: {}, attachments: {} } });
  }

  async tile(level) {
    const name = this.tiles[level];
    return name ? bytesAt(`${this.folder}/${name}`) : null;
  }
}

async function bytesAt(url) {
  const response = await fetch(url, { cache: "no-store" });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

const hexOf = (data) => [...new Uint8Array(data)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const sha256 = async (data) => hexOf(await crypto.subtle.digest("SHA-256", data));

/** Planes of R, G and B of RGBA. */
export function planes(pixels) {
  const size = pixels.length / 4;
  const out = new Uint8Array(3 * size);
  for (let at = 0; at < size; at++) for (let c = 0; c < 3; c++) out[c * size + at] = pixels[4 * at + c];
  return out;
}

/** What a case gives otherwise than it says. */
async function* problems(url, environment, strictOnly) {
  const { core, module } = environment;
  const document = parseJson(await bytesAt(`${url}/case.json`), "case");
  const test = plain(document);
  const open = async () =>
    new Slide(
      new TilesOfCase(url, test.tiles, await readCoding(document.coding, core)),
      core,
      new Pool(Promise.resolve(module), Promise.resolve(core), 0),
    );
  const refused = async (action) => {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof RripError)) return `${error.stack}`;
      return error.rule === test.rule ? null : `${error.rule}: ${error.message}; expected ${test.rule}`;
    }
    return `was accepted, expected ${test.rule}`;
  };
  if (test.kind === "container") {
    yield* problemsOfContainer(`${url}/${test.container}`, test, environment, refused);
  } else if (test.error) {
    const problem = await refused(async () => {
      if (test.kind === "coding") return readCoding(document.coding, core);
      if (test.kind === "metadata") return readMetadata(document.rrip, core);
      return (await open()).tile(test.level, test.row, test.col);
    });
    if (problem) yield problem;
  } else if (test.kind === "coding") await readCoding(document.coding, core);
  else if (test.kind === "metadata") await readMetadata(document.rrip, core);
  else {
    const slide = await open();
    for (const [level, expected] of Object.entries(test.expected)) {
      const { pixels } = await slide.tile(Number(level), test.row, test.col);
      if ((await sha256(planes(pixels))) !== expected.rgb_sha256) yield `level ${level} has other pixels`;
    }
  }
}

async function* problemsOfContainer(url, test, { module }, refused) {
  const address = test.kindOfContainer === "folder" || test.container.endsWith(".zarr") ? `${url}/` : url;
  const open = () => Slide.open(address, { wasm: module, workers: 0 });
  if (test.at?.[0] === "open") {
    const problem = await refused(open);
    if (problem) yield problem;
    return;
  }
  const slide = await open();
  const read = async (place) =>
    place.includes("/") ? slide.tile(...place.split("/").map(Number)) : slide.attachment(place);
  for (const place of test.at ?? []) {
    const attachment = async () =>
      place in slide.metadata.attachments && place !== "icc_profile" ? slide.associated(place) : read(place);
    const problem = await refused(attachment);
    if (problem) yield `${place}: ${problem}`;
  }
  for (const [place, digest] of Object.entries(test.tiles)) {
    if ((await sha256(planes((await read(place)).pixels))) !== digest) yield `tile ${place} has other pixels`;
  }
  for (const [name, digest] of Object.entries(test.attachments)) {
    if ((await sha256(await read(name))) !== digest) yield `${name} has other bytes`;
  }
}

/**
 * Run the set.
 *
 * @param {string} root Its URL.
 * @param {string | URL | BufferSource} wasm
 * @returns {Promise<{wrong: string[], valid: number, invalid: number}>}
 */
export async function runVectors(root, wasm) {
  const module = await loadWasm(wasm);
  const environment = { module, core: await Core.load(module) };
  const { classes } = JSON.parse(new TextDecoder().decode(await bytesAt(`${root}/manifest.json`)));
  const names = [...new Set([...classes["base reader"], ...classes["full reader"], ...classes["strict reader"]])];
  const wrong = [];
  for (const name of names) {
    try {
      for await (const problem of problems(`${root}/${name}`, environment)) wrong.push(`${name}: ${problem}`);
    } catch (error) {
      wrong.push(`${name}: ${error.rule ?? ""} ${error.stack}`);
    }
  }
  const invalid = names.filter((name) => name.startsWith("invalid/")).length;
  return { wrong, valid: names.length - invalid, invalid };
}
