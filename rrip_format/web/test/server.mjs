// A static server with byte ranges for the tests, that can also misbehave.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/**
 * Serve folders.
 *
 * @param {Record<string, string>} folders Folders by the first part of the path.
 * @param {object} [options]
 * @param {boolean} [options.ranges] Whether byte ranges are answered.
 * @param {boolean} [options.cors] Whether other origins may read.
 * @param {number} [options.status] Instead of every answer.
 * @param {number} [options.delay] Before every answer, ms.
 * @param {(path: string, first: number, last: number) => Buffer | null} [options.change] Other bytes for a range.
 * @param {Record<string, string>} [options.headers]
 * @returns {Promise<{url: string, log: {path: string, bytes: number, range: string | undefined}[], close: () => Promise<void>}>}
 */
export async function serve(folders, options = {}) {
  const log = [];
  const server = createServer((request, response) => {
    setTimeout(() => void answer(request, response).catch((error) => response.destroy(error)), options.delay ?? 0);
  });

  async function answer(request, response) {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    const [, first, ...rest] = path.split("/");
    const file = folders[first] && join(folders[first], normalize(rest.join("/") || "index.html"));
    const info = file ? await stat(file).catch(() => null) : null;
    if (options.cors) response.setHeader("Access-Control-Allow-Origin", "*");
    for (const [name, value] of Object.entries(options.headers ?? {})) response.setHeader(name, value);
    const end = (status, headers = {}) => response.writeHead(status, headers).end();
    if (options.status) return end(options.status);
    if (!info?.isFile()) return end(404);
    response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
    const range = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? "");
    let [from, to] = [0, info.size - 1];
    if (range && options.ranges !== false) {
      [from, to] = range[1] ? [Number(range[1]), range[2] ? Number(range[2]) : to] : [info.size - Number(range[2]), to];
      to = Math.min(to, info.size - 1);
      if (from > to) return end(416, { "Content-Range": `bytes */${info.size}` });
      response.setHeader("Content-Range", `bytes ${from}-${to}/${info.size}`);
    }
    const bytes = to - from + 1;
    log.push({ path, bytes, range: request.headers.range });
    response.writeHead(range && options.ranges !== false ? 206 : 200, { "Content-Length": bytes });
    if (request.method === "HEAD" || !bytes) return response.end();
    const other = options.change?.(path, from, to);
    if (other) return response.end(other);
    return createReadStream(file, { start: from, end: to })
      .pipe(response)
      .on("close", () => {});
  }

  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    log,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
      }),
  };
}
