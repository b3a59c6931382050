// The attribute `rrip`, judged in the order of spec sections 8.5, 11 and 12: version, features, seals, members.

import { adler32, fromBase64, inflate, viewOf } from "./bytes.js";
import { BASE_LEVEL, Coding, ceilDiv } from "./coding.js";
import { RripError, shown } from "./errors.js";
import { NotAnInteger, canonical, plain } from "./json.js";
import { MAX_FAMILIES, MAX_SIDE } from "./limits.js";

/** @typedef {import("./core.js").Core} Core */

/**
 * What a container says of itself.
 *
 * @typedef {object} Metadata
 * @property {Coding} coding All that decoding needs.
 * @property {SlideInfo} slide What the slide is; no pixel depends on it.
 * @property {any} writer What made the container.
 * @property {Record<string, string>} attachments CRC-32C of the ICC profile and the associated images, by name.
 */

/**
 * What a slide is (spec section 8.3). All text is from outside: show it by `textContent`.
 *
 * @typedef {object} SlideInfo
 * @property {[number, number] | null} mpp Width and height of a pixel of level 0, µm.
 * @property {number | null} objective Objective power.
 * @property {string | null} vendor
 * @property {Record<string, string>} properties The vendor's own.
 * @property {{name: string, bytes: number | null, compressions: Compression[] | null, missing_tiles: number | null}} source
 * File that it was made from.
 */

/**
 * A compression that the pixels have gone through before (spec section 8.9).
 *
 * @typedef {object} Compression
 * @property {string} method DICOM's term, such as `ISO_10918_1` for JPEG, or a usual name.
 * @property {boolean | null} [lossy]
 * @property {number | null} [quality]
 * @property {string | null} [subsampling]
 * @property {number | null} [ratio]
 */

const VERSION = 1;
/** The only feature of version 1 (spec section 11). */
const LUMA_FILTER = "luma-filter";
const CHECKSUM = /^[0-9a-f]{8}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** @param {any} value */
const isObject = (value) =>
  value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof NotAnInteger);

/** @param {any} value @param {number} low @param {number} high */
const isInt = (value, low, high) => typeof value === "number" && low <= value && value <= high;

/** @param {any} value @param {number} count @param {number} low @param {number} high */
const areInts = (value, count, low, high) =>
  Array.isArray(value) && value.length === count && value.every((each) => isInt(each, low, high));

/** @param {any} value @param {number} low @param {number} high */
const isNumber = (value, low, high) => isInt(value instanceof NotAnInteger ? value.value : value, low, high);

/** @param {any} value */
const isTaps = (value) =>
  areInts(value, 4, -90, 90) && value.reduce(sum, 0) === 64 && value.map(Math.abs).reduce(sum, 0) <= 90;

/** @param {number} a @param {number} b */
const sum = (a, b) => a + b;

/** @param {any} condition @param {string} member @param {any} found @param {string} expected */
function expect(condition, member, found, expected) {
  if (!condition) throw new RripError("metadata.member", `${member}: is ${shown(found)}, expected ${expected}`);
}

/**
 * Refuse what this reader cannot know (spec section 11).
 *
 * @param {any} coding
 */
function checkVersion(coding) {
  const version = isObject(coding) ? coding.version : undefined;
  if (!isInt(version, 1, 2 ** 31)) {
    throw new RripError("metadata.version", `coding.version: is ${shown(version)}, expected a positive integer`);
  }
  if (version > VERSION) {
    throw new RripError(
      "newer.version",
      `the container has format version ${version}, this reader knows ${VERSION}: upgrade it`,
    );
  }
  if (!Array.isArray(coding.requires)) {
    throw new RripError("metadata.requires", `coding.requires: is ${shown(coding.requires)}, expected a list`);
  }
  const unknown = coding.requires.filter((/** @type {any} */ name) => name !== LUMA_FILTER);
  if (unknown.length) {
    throw new RripError(
      "newer.requires",
      `the container requires ${shown(unknown[0])}, unknown to this reader: upgrade it`,
    );
  }
}

/**
 * @param {any} document
 * @param {string} what
 * @param {Core} core
 */
function checkSeal(document, what, core) {
  const { crc32c: found, ...body } = document;
  const expected = hex(core.crc32c(new TextEncoder().encode(canonical(body))));
  if (found !== expected) {
    throw new RripError(
      "metadata.seal",
      `the seal of ${what} is ${shown(found)}, its content gives ${expected}: the file is damaged`,
    );
  }
}

/** Eight hexadecimal digits. @param {number} checksum @returns {string} */
export const hex = (checksum) => checksum.toString(16).padStart(8, "0");

/** @param {any} coding An object whose seal holds. */
function checkCoding(coding) {
  for (const name of ["width", "height"]) {
    expect(isInt(coding[name], 1, MAX_SIDE), `coding.${name}`, coding[name], `an integer in 1 … ${MAX_SIDE}`);
  }
  expect(
    isInt(coding.tile, 64, 512) && coding.tile % 16 === 0,
    "coding.tile",
    coding.tile,
    "a multiple of 16 in 64 … 512",
  );
  expect(typeof coding.uuid === "string" && UUID.test(coding.uuid), "coding.uuid", coding.uuid, "a UUID in lower case");
  const { residuals, background } = coding;
  expect(
    Array.isArray(residuals) && residuals.length === BASE_LEVEL,
    "coding.residuals",
    residuals,
    "a list of two objects",
  );
  residuals.forEach((/** @type {any} */ how, /** @type {number} */ level) => {
    const where = `coding.residuals[${level}]`;
    expect(isObject(how), where, how, "an object");
    for (const name of ["taps", "chroma_taps"]) {
      expect(
        isTaps(how[name]),
        `${where}.${name}`,
        how[name],
        "four integers with sum 64, sum of magnitudes at most 90",
      );
    }
    expect(areInts(how.cfl, 2, -127, 127), `${where}.cfl`, how.cfl, "two integers in -127 … 127");
    expect(how.planes === 1 || how.planes === 3, `${where}.planes`, how.planes, "1 or 3");
    checkFilter(how, level, coding.requires.includes(LUMA_FILTER));
  });
  expect(areInts(background, 3, 0, 255), "coding.background", background, "three integers in 0 … 255");
  const isGrey = new Set(background).size === 1;
  expect(isGrey || (coding.empty ?? null) === null, "coding.background", background, "a grey where families are empty");
}

/**
 * The filter of luma, which level 0 has if and only if it is required (spec section 5.8).
 *
 * @param {any} how
 * @param {number} level
 * @param {boolean} isRequired
 */
function checkFilter(how, level, isRequired) {
  const where = `coding.residuals[${level}].luma_filter`;
  if (Object.hasOwn(how, "luma_filter") !== (isRequired && level === 0)) {
    const found = Object.hasOwn(how, "luma_filter") ? "is there" : "is absent";
    throw new RripError("metadata.feature", `${where}: ${found}, which contradicts coding.requires`);
  }
  if (!Object.hasOwn(how, "luma_filter")) return;
  const weights = how.luma_filter;
  expect(
    areInts(weights, 4, -63, 63) &&
      weights.some((/** @type {number} */ weight) => weight !== 0) &&
      Math.abs(weights[2]) + Math.abs(weights[3]) <= 28,
    where,
    weights,
    "four integers, not all 0, the first two in -63 … 63, the others with sum of magnitudes at most 28",
  );
}

/**
 * The bitmap of empty families (spec section 8.2).
 *
 * @param {any} text
 * @param {number} size Bytes that it has to have.
 * @returns {Promise<Uint8Array | null>}
 */
async function readBitmap(text, size) {
  if ((text ?? null) === null) return null;
  const wrong = () => new RripError("metadata.member", `coding.empty: is not zlib data of ${size} bytes in base64`);
  const data = typeof text === "string" ? fromBase64(text) : null;
  if (!data || data.length < 6) throw wrong();
  let bits;
  try {
    bits = await inflate(data, "deflate", size);
  } catch {
    throw wrong();
  }
  // A stream ends with the checksum of what it inflates to, so that bytes behind it show, also where they are ignored.
  if (bits.length !== size || viewOf(data).getUint32(data.length - 4) !== adler32(bits)) throw wrong();
  return bits;
}

/** @param {any} coding An object that was checked. @returns {Promise<Coding>} */
async function toCoding(coding) {
  const grid = new Coding(plain(coding), null).grid(BASE_LEVEL);
  const families = grid[0] * grid[1];
  if (families > MAX_FAMILIES) {
    throw new RripError("limit.families", `the slide has ${families} families, this reader accepts ${MAX_FAMILIES}`);
  }
  return new Coding(plain(coding), await readBitmap(coding.empty, ceilDiv(families, 8)));
}

/**
 * Judge an object `coding`.
 *
 * @param {any} document What {@link import("./json.js").parseJson} made of it.
 * @param {Core} core
 * @returns {Promise<Coding>}
 */
export async function readCoding(document, core) {
  checkVersion(document);
  checkSeal(document, "coding", core);
  checkCoding(document);
  return toCoding(document);
}

/** Spec section 8.9. @param {any} found */
function checkCompressions(found) {
  const where = "slide.source.compressions";
  expect(Array.isArray(found), where, found, "null or a list of objects");
  for (const each of found) {
    expect(isObject(each), where, each, "objects");
    const { method, lossy = null, quality = null, subsampling = null, ratio = null } = each;
    expect(typeof method === "string", `${where}.method`, method, "a string");
    expect(lossy === null || typeof lossy === "boolean", `${where}.lossy`, lossy, "null, true or false");
    expect(quality === null || isInt(quality, 1, 100), `${where}.quality`, quality, "null or an integer in 1 … 100");
    expect(
      subsampling === null || typeof subsampling === "string",
      `${where}.subsampling`,
      subsampling,
      "null or a string",
    );
    const isRatio = ratio === null || isNumber(ratio, Number.MIN_VALUE, Number.MAX_VALUE);
    expect(isRatio, `${where}.ratio`, ratio, "null or a positive number");
  }
}

/** @param {any} document An attribute whose seals hold. */
function checkMembers(document) {
  checkCoding(document.coding);
  const { slide, writer, attachments } = document;
  expect(isObject(slide), "slide", slide, "an object");
  const isMpp =
    Array.isArray(slide.mpp) &&
    slide.mpp.length === 2 &&
    slide.mpp.every((/** @type {any} */ each) => isNumber(each, 1e-6, 1e6));
  expect((slide.mpp ?? null) === null || isMpp, "slide.mpp", slide.mpp, "null or two numbers in 1e-6 … 1e6");
  const { objective, vendor, properties, source } = slide;
  const isObjective = isNumber(objective, Number.MIN_VALUE, Number.MAX_VALUE);
  expect((objective ?? null) === null || isObjective, "slide.objective", objective, "null or a positive number");
  expect((vendor ?? null) === null || typeof vendor === "string", "slide.vendor", vendor, "null or a string");
  const areTexts = isObject(properties) && Object.values(properties).every((each) => typeof each === "string");
  expect(areTexts, "slide.properties", properties, "an object of strings");
  expect(isObject(source) && typeof source.name === "string", "slide.source", source, "an object with a name");
  for (const name of ["bytes", "missing_tiles"]) {
    const isCount = (source[name] ?? null) === null || isInt(source[name], 0, Number.MAX_SAFE_INTEGER);
    expect(isCount, `slide.source.${name}`, source[name], "null or a number of them");
  }
  checkCompressions(source.compressions ?? []);
  expect(isObject(writer), "writer", writer, "an object");
  const areSums =
    isObject(attachments) &&
    Object.values(attachments).every((each) => typeof each === "string" && CHECKSUM.test(each));
  expect(areSums, "attachments", attachments, "an object of checksums");
}

/**
 * Judge the attribute `rrip` of a container.
 *
 * @param {any} document What {@link import("./json.js").parseJson} made of it.
 * @param {Core} core
 * @returns {Promise<Metadata>}
 */
export async function readMetadata(document, core) {
  if (!isObject(document))
    throw new RripError("metadata.absent", "there is no attribute rrip: this is no RRIP container");
  checkVersion(document.coding);
  checkSeal(document.coding, "coding", core);
  checkSeal(document, "rrip", core);
  checkMembers(document);
  const { slide, writer, attachments } = plain(document);
  const { mpp = null, objective = null, vendor = null, properties, source } = slide;
  const { name, bytes = null, compressions = null, missing_tiles = null } = source;
  return {
    coding: await toCoding(document.coding),
    slide: { mpp, objective, vendor, properties, source: { name, bytes, compressions, missing_tiles } },
    writer,
    attachments,
  };
}

/**
 * The attribute `rrip` of a root's `zarr.json` (spec section 9.2).
 *
 * @param {any} document
 */
export const attributeOf = (document) =>
  isObject(document) && isObject(document.attributes) ? document.attributes.rrip : undefined;
