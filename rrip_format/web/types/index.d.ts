export { Coding } from "./coding.js";
export { Core } from "./core.js";
export { RripError } from "./errors.js";
export { parseJson } from "./json.js";
export { readCoding, readMetadata } from "./metadata.js";
export { Slide } from "./slide.js";
