// A worker that decodes one job after another.

import { Core } from "./core.js";
import "./errors.js"; // of the core: named here too, it is asked for at the same time

/** @type {Promise<Core>} */
let core;

/** @param {MessageEvent} event */
globalThis.onmessage = async ({ data }) => {
  if (data.module) {
    core = Core.load(data.module);
    return;
  }
  try {
    const decoded = (await core).decode(data.coding, data.parts, data.width, data.height);
    /** @type {any} */ (globalThis).postMessage(decoded, [decoded.pixels.buffer]);
  } catch (error) {
    const { rule, message } = /** @type {any} */ (error);
    globalThis.postMessage({ error: message ?? String(error), rule });
  }
};
