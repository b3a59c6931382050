// What a slide costs in Chromium: time of a tile, requests and bytes of opening and of fixed views, beside an ordinary Deep Zoom.
//
//     rrip export slide.rrip.tif slide.dzi
//     (cd rrip_format/web && npm ci)
//     node tools/benchmarks/bench_browser.mjs slide.rrip.tif slide.dzi
//
// Both are drawn by OpenSeadragon from the same server, which answers each request 40 ms later. Times are medians, and
// those of both take turns.

import { dirname, basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { isDrawn, launch, until } from "../../rrip_format/web/test/browser.mjs";
import { serve } from "../../rrip_format/web/test/server.mjs";

const DELAY_MS = 40;
const ROUNDS = 15;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const [slidePath, dziPath] = process.argv.slice(2).map((path) => resolve(path));
const folders = { web: `${ROOT}/rrip_format/web`, slides: dirname(slidePath), dzi: dirname(dziPath) };
const slideUrl = `/slides/${basename(slidePath)}`;
const dziUrl = `/dzi/${basename(dziPath)}`;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const spread = (numbers) => `${median(numbers).toFixed(2)} (${Math.min(...numbers).toFixed(2)} … ${Math.max(...numbers).toFixed(2)})`;

/** Milliseconds for a tile of level 0: ours in one thread, and the browser's own decoder on the Deep Zoom's tile; both as an ImageBitmap. */
async function timeTiles(page, places) {
  return page.evaluate(async (slideAt, dziAt, wanted, rounds) => {
    const { Slide } = await import("/web/src/index.js");
    const slide = await Slide.open(new URL(slideAt, location.href), { workers: 0, decodedBytes: 0 });
    const finest = Math.ceil(Math.log2(Math.max(slide.width, slide.height)));
    const tiles = [];
    for (const [row, col] of wanted) {
      await slide.block(0, row, col); // so that its stored tiles are in memory
      const response = await fetch(`${dziAt.replace(".dzi", "_files")}/${finest}/${col}_${row}.jpeg`);
      tiles.push({ row, col, blob: await response.blob() });
    }
    const canvas = new OffscreenCanvas(slide.blockSide, slide.blockSide);
    const context = canvas.getContext("2d", { willReadFrequently: false });
    const show = (bitmap) => { context.drawImage(bitmap, 0, 0); bitmap.close(); };
    const mean = (numbers) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
    const result = { ours: [], decode: [], browser: [] };
    const least = { ours: [], decode: [], browser: [] };
    for (let round = -1; round < rounds; round++) {
      const took = { ours: [], decode: [], browser: [] };
      for (const { row, col, blob } of tiles) {
        const start = performance.now();
        const { pixels, width, height } = await slide.block(0, row, col);
        const decoded = performance.now();
        show(await createImageBitmap(new ImageData(pixels, width, height)));
        const middle = performance.now();
        show(await createImageBitmap(blob));
        took.ours.push(middle - start);
        took.decode.push(decoded - start);
        took.browser.push(performance.now() - middle);
      }
      if (round < 0) continue;
      for (const name of Object.keys(took)) {
        result[name].push(mean(took[name]));
        least[name] = took[name].map((each, k) => Math.min(each, least[name][k] ?? Infinity));
      }
    }
    const best = Object.fromEntries(Object.entries(least).map(([name, numbers]) => [name, mean(numbers)]));
    return { ...result, best, jpegBytes: mean(tiles.map(({ blob }) => blob.size)) };
  }, slideUrl, dziUrl, places, ROUNDS);
}

/** Time until a frame is drawn, and what was asked for meanwhile. */
async function timeFrame(browser, server, hash, isOurs) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1920, height: 1080 });
  await page.goto(`${server.url}/web/test/empty.html`);
  await page.addScriptTag({ url: `${server.url}/web/vendor/openseadragon.min.js` });
  const slide = isOurs ? await page.evaluate(() => import("/web/src/openseadragon.js").then(() => true)) : null;
  const from = server.log.length;
  const took = await page.evaluate(async (address, ours, [x, y]) => {
    const { Slide } = await import("/web/src/index.js");
    const { createTileSource, viewerOptions } = await import("/web/src/openseadragon.js");
    const element = document.getElementById("viewer");
    Object.assign(element.style, { position: "fixed", left: 0, top: 0, width: "1920px", height: "1080px" });
    const start = performance.now();
    const slide = ours ? await Slide.open(new URL(address, location.href)) : null;
    const source = slide ? createTileSource(OpenSeadragon, slide) : address;
    const options = viewerOptions(slide ?? { blockSide: 512 });
    const viewer = new OpenSeadragon.Viewer({ ...options, element, drawer: "canvas", tileSources: source, showNavigationControl: false, animationTime: 0, visibilityRatio: 0, maxZoomPixelRatio: 8 });
    await new Promise((done) => viewer.addOnceHandler("open", done));
    const image = viewer.world.getItemAt(0);
    viewer.viewport.zoomTo(image.imageToViewportZoom(1), undefined, true);
    viewer.viewport.panTo(image.imageToViewportCoordinates(x, y), true);
    viewer.viewport.applyConstraints(true);
    await new Promise((done) => {
      const check = () => (image.getFullyLoaded() ? done() : setTimeout(check, 2));
      setTimeout(check, 20);
    });
    return performance.now() - start;
  }, isOurs ? slideUrl : dziUrl, isOurs, hash);
  const log = server.log.slice(from).filter(({ path }) => !path.startsWith("/web/"));
  await page.close();
  return { took, requests: log.length, bytes: log.reduce((sum, { bytes }) => sum + bytes, 0), slide };
}

const server = await serve(folders);
const slow = await serve(folders, { delay: DELAY_MS });
const browser = await launch("chrome", 1920, 1080);
const page = await browser.newPage();
await page.goto(`${server.url}/web/test/empty.html`);

const about = await page.evaluate(async (address) => {
  const { Slide } = await import("/web/src/index.js");
  const slide = await Slide.open(new URL(address, location.href));
  const { width, height, blockSide, counts } = slide;
  slide.close();
  return { width, height, blockSide, counts };
}, slideUrl);
const { width, height, blockSide, counts } = about;
console.log(`${basename(slidePath)}, ${width} × ${height} px, tiles of ${blockSide} px`);
console.log(`opening: ${counts.requests} requests, ${counts.bytes} bytes`);

const [rows, cols] = [Math.floor(height / blockSide), Math.floor(width / blockSide)];
const places = Array.from({ length: 40 }, (_, k) => [Math.floor(((k * 7 + 3) % 40) / 40 * rows), Math.floor(((k * 11 + 5) % 40) / 40 * cols)]);
const tiles = await timeTiles(page, places);
console.log(`a tile of level 0, ms: ours ${spread(tiles.ours)}, of which decoding ${spread(tiles.decode)}; the browser's JPEG ${spread(tiles.browser)}, of ${Math.round(tiles.jpegBytes)} bytes`);
console.log(`ratio ${spread(tiles.ours.map((ours, k) => ours / tiles.browser[k]))}; of each tile's best time ${(tiles.best.ours / tiles.best.browser).toFixed(2)}, of decoding alone ${(tiles.best.decode / tiles.best.browser).toFixed(2)}`);

for (const [name, x, y] of [["centre", width / 2, height / 2], ["upper third", width / 2, height / 3], ["lower third", width / 3, (2 * height) / 3]]) {
  const ours = [], theirs = [];
  for (let round = 0; round < 5; round++) {
    ours.push(await timeFrame(browser, slow, [x, y], true));
    theirs.push(await timeFrame(browser, slow, [x, y], false));
  }
  const ratios = ours.map(({ took }, k) => took / theirs[k].took);
  const [mine, other] = [ours[0], theirs[0]];
  console.log(`frame of 1920 × 1080 at the ${name}, opening included: ours ${mine.requests} requests, ${mine.bytes} bytes, ${Math.round(median(ours.map(({ took }) => took)))} ms; Deep Zoom ${other.requests} requests, ${other.bytes} bytes, ${Math.round(median(theirs.map(({ took }) => took)))} ms; ratio ${spread(ratios)}`);
}
await browser.close();
await server.close();
await slow.close();
