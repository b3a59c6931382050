// JSON as spec section 8 wants it read: bounded before it is parsed, and with the difference between 768 and 768.0.
//
// `JSON.parse` knows neither, and recurses as deeply as a document says.

import { RripError } from "./errors.js";
import { MAX_METADATA_BYTES, MAX_METADATA_DEPTH, MAX_METADATA_MARKS } from "./limits.js";

const MARKS = new Set([...',[{"\\'].map((mark) => mark.charCodeAt(0)));
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPES = /** @type {Record<string, string>} */ ({
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
});
const MAX_DIGITS = 400;

/** A number that was written with a fraction or an exponent, or as an integer beyond 2⁵³ − 1. */
export class NotAnInteger {
  /**
   * @param {number} value
   * @param {boolean} isCanonical Whether RFC 8785 has a form for it.
   */
  constructor(value, isCanonical) {
    this.value = value;
    this.isCanonical = isCanonical;
  }
}

/**
 * Parse a document.
 *
 * Objects have no prototype. Integers up to 2⁵³ − 1 are numbers, all other numbers are {@link NotAnInteger}.
 *
 * @param {Uint8Array} data
 * @param {string} what What errors call it.
 * @returns {any}
 */
export function parseJson(data, what) {
  const tooLarge = (/** @type {string} */ how) => new RripError("limit.metadata", `${what} ${how}`);
  if (data.length > MAX_METADATA_BYTES) throw tooLarge(`has ${data.length} bytes, more than this reader accepts`);
  let marks = 0;
  for (let at = 0; at < data.length; at++) if (MARKS.has(data[at])) marks++;
  if (marks > MAX_METADATA_MARKS) throw tooLarge("has more values than this reader accepts");
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new RripError("metadata.json", `${what} is not UTF-8`);
  }
  return new Parser(text, what, tooLarge).document();
}

class Parser {
  /**
   * @param {string} text
   * @param {string} what
   * @param {(how: string) => RripError} tooLarge
   */
  constructor(text, what, tooLarge) {
    this.text = text;
    this.what = what;
    this.tooLarge = tooLarge;
    this.at = 0;
  }

  document() {
    const value = this.value(0);
    this.match(SPACE);
    if (this.at < this.text.length) throw this.broken();
    return value;
  }

  broken() {
    return new RripError("metadata.json", `${this.what} is not JSON: character ${this.at} has no place there`);
  }

  /** @param {RegExp} pattern A sticky one, which matches here; what it matched is returned. */
  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) throw this.broken();
    this.at = pattern.lastIndex;
    return found;
  }

  /** @param {string} word */
  skip(word) {
    if (!this.text.startsWith(word, this.at)) throw this.broken();
    this.at += word.length;
  }

  peek() {
    this.match(SPACE);
    return this.text[this.at];
  }

  /**
   * @param {number} depth
   * @returns {any}
   */
  value(depth) {
    const next = this.peek();
    if (next === "{" || next === "[") {
      if (depth === MAX_METADATA_DEPTH) throw this.tooLarge("is nested too deeply");
      return next === "{" ? this.object(depth + 1) : this.list(depth + 1);
    }
    if (next === '"') return this.string();
    for (const [word, value] of /** @type {const} */ ([
      ["null", null],
      ["true", true],
      ["false", false],
    ])) {
      if (next === word[0]) {
        this.skip(word);
        return value;
      }
    }
    return this.number();
  }

  /** @param {number} depth */
  object(depth) {
    const found = Object.create(null);
    this.members("{", "}", () => {
      if (this.peek() !== '"') throw this.broken();
      const name = this.string();
      this.match(SPACE);
      this.skip(":");
      found[name] = this.value(depth);
    });
    return found;
  }

  /** @param {number} depth */
  list(depth) {
    /** @type {any[]} */
    const found = [];
    this.members("[", "]", () => found.push(this.value(depth)));
    return found;
  }

  /**
   * @param {string} open
   * @param {string} close
   * @param {() => void} member
   */
  members(open, close, member) {
    this.skip(open);
    if (this.peek() === close) {
      this.at++;
      return;
    }
    for (;;) {
      member();
      if (this.peek() === close) break;
      this.skip(",");
    }
    this.at++;
  }

  string() {
    this.skip('"');
    let found = "";
    for (;;) {
      found += this.match(PLAIN)[0];
      if (this.text[this.at] === '"') break;
      this.skip("\\");
      const letter = this.text[this.at++];
      if (letter === "u") found += String.fromCharCode(parseInt(this.match(/[0-9a-fA-F]{4}/y)[0], 16));
      else if (letter in ESCAPES) found += ESCAPES[letter];
      else throw this.broken();
    }
    this.at++;
    return found;
  }

  number() {
    const [text, fraction, exponent] = this.match(NUMBER);
    const value = Number(text);
    if (fraction || exponent) return new NotAnInteger(value, Number.isFinite(value));
    if (text.replace("-", "").length > MAX_DIGITS) throw this.broken();
    return Number.isSafeInteger(value) ? value : new NotAnInteger(value, false);
  }
}

/**
 * The RFC 8785 form of a parsed value (spec section 8.5).
 *
 * @param {any} value
 * @returns {string}
 */
export function canonical(value) {
  if (value instanceof NotAnInteger) {
    if (!value.isCanonical) throw new RripError("metadata.seal", "a number has no canonical form");
    return JSON.stringify(value.value);
  }
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new RripError("metadata.seal", "a string has no canonical form");
    return JSON.stringify(value);
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const names = Object.keys(value).sort(); // by UTF-16 code units
  return `{${names.map((name) => `${canonical(name)}:${canonical(value[name])}`).join(",")}}`;
}

/**
 * A parsed value with ordinary numbers and objects.
 *
 * @param {any} value
 * @returns {any}
 */
export function plain(value) {
  if (value instanceof NotAnInteger) return value.value;
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(plain);
  const found = Object.create(null);
  for (const name of Object.keys(value)) found[name] = plain(value[name]);
  return found;
}
