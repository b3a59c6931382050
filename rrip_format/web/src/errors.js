// Errors of the reader, by the rule ids of spec sections 10.8 and 12.

/** What a user would do about an error of each rule: `kind` of the spec's column "class". */
const KINDS = {
  damaged: [
    "tile.short",
    "tile.size",
    "tile.checksum",
    "tile.place",
    "tile.trailer",
    "stream.decode",
    "stream.empty",
    "attachment.missing",
    "attachment.checksum",
    "attachment.jpeg",
    "zip.member",
    "file.range",
  ],
  missing: ["tile.missing"],
  format: [
    "container.kind",
    "metadata.absent",
    "metadata.json",
    "metadata.version",
    "metadata.requires",
    "metadata.seal",
    "metadata.member",
    "metadata.feature",
    "zip.structure",
    "zip.method",
    "tiff.header",
    "tiff.ifd",
    "tiff.loop",
    "tiff.chain",
    "tiff.tag",
    "tiff.tables",
  ],
  newer: ["newer.version", "newer.requires"],
  limit: ["limit.families", "limit.metadata", "limit.attachment", "limit.directory", "limit.memory"],
  storage: ["storage.failed"],
};

/** @type {Map<string, string>} */
const KIND_OF = new Map(Object.entries(KINDS).flatMap(([kind, rules]) => rules.map((rule) => [rule, kind])));

/**
 * What is wrong with a container, or with the server that holds it.
 *
 * `message` says what was found, what was expected and what to do; it may quote a few characters of the container, so
 * show it as text, never as markup.
 */
export class RripError extends Error {
  /**
   * @param {string} rule Rule id of spec section 12, such as `tile.checksum`.
   * @param {string} message
   */
  constructor(rule, message) {
    super(message);
    this.name = "RripError";
    /** Rule id of spec section 12. */
    this.rule = rule;
    /** Class of spec section 12: `damaged`, `missing`, `format`, `newer`, `limit` or `storage`. */
    this.kind = KIND_OF.get(rule) ?? "storage";
  }
}

/**
 * A few characters of a value from outside, for a message.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function shown(value) {
  if (value === undefined) return "absent";
  const text =
    typeof value === "string"
      ? JSON.stringify(value.slice(0, 61))
      : typeof value === "object"
        ? kindOf(value)
        : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** @param {unknown} value */
function kindOf(value) {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : "an object";
}

/**
 * Throw the reason of a signal that was aborted.
 *
 * @param {AbortSignal | undefined} signal
 */
export function throwIfAborted(signal) {
  if (signal?.aborted) throw signal.reason;
}

/**
 * Whether an error says that a request was cancelled, not that it failed.
 *
 * @param {unknown} error
 * @returns {boolean}
 */
export const isAbort = (error) => error instanceof Error && error.name === "AbortError";
