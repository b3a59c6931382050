// The page in Chromium and Firefox: the conformance set, looking around, damage, and servers that do not do their part.
//
// RRIP_WEB_SLIDES is a folder with the slides that tests/web/test_page.py makes, RRIP_WEB_VIEW and RRIP_WEB_SERVE are the
// addresses of 'rrip view' and 'rrip serve' on them.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { isDrawn, launch, until, whyNot } from "./browser.mjs";
import { serve } from "./server.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const SLIDES = process.env.RRIP_WEB_SLIDES;
const { RRIP_WEB_SHOTS: SHOTS, RRIP_WEB_VIEW: VIEW, RRIP_WEB_SERVE: SERVE } = process.env;
const FOLDERS = { web: `${ROOT}/rrip_format/web`, vectors: `${ROOT}/spec/vectors`, slides: SLIDES };

const isOpen = () => Boolean(globalThis.rrip?.viewer?.world.getItemAt(0) || globalThis.rrip?.error);
const message = () => document.getElementById("message").textContent;

for (const name of ["chrome", "firefox"]) {
  describe(name, { skip: whyNot(name) ?? (SLIDES ? false : "RRIP_WEB_SLIDES is not set") }, () => {
    let browser, server, page;
    const complaints = [];

    before(async () => {
      browser = await launch(name);
      server = await serve(FOLDERS);
      page = await browser.newPage();
      page.on(
        "pageerror",
        ({ message }) => message.startsWith("Cross-Origin Request Blocked") || complaints.push(message),
      ); // Firefox calls it so
      page.on("console", (entry) =>
        entry.text().includes("Content-Security-Policy") || entry.text().includes("Content Security Policy")
          ? complaints.push(entry.text())
          : null,
      );
    });
    after(async () => {
      await browser.close();
      await server.close();
    });

    /** Open the page; what its message says is returned. */
    async function visit(query, at = server) {
      await page.goto("about:blank");
      await page.goto(`${at.url}/web/index.html${query}`);
      await until(page, isOpen);
      return page.evaluate(message);
    }

    async function shoot(title) {
      if (!SHOTS) return;
      mkdirSync(SHOTS, { recursive: true });
      await page.screenshot({ path: `${SHOTS}/${name}-${title}.png` });
    }

    /** Mean of what the viewer shows in a rectangle of the window, [R, G, B], 0 to 255. */
    const colours = (x, y, width, height) =>
      page.evaluate(
        (...[left, top, w, h]) => {
          const { canvas } = globalThis.rrip.viewer.drawer;
          const box = canvas.getBoundingClientRect();
          const scale = canvas.width / box.width;
          const at = [left - box.left, top - box.top, w, h].map((each) => Math.round(each * scale));
          const { data } = canvas.getContext("2d").getImageData(...at);
          return [0, 1, 2].map(
            (c) => data.reduce((sum, value, k) => (k % 4 === c ? sum + value : sum), 0) / (data.length / 4),
          );
        },
        x,
        y,
        width,
        height,
      );

    test("the conformance set over HTTP", async () => {
      await page.goto(`${server.url}/web/test/empty.html`);
      const result = await page.evaluate(async (url) => {
        const { runVectors } = await import("/web/test/conformance.js");
        return runVectors(`${url}/vectors`, `${url}/web/rrip.wasm`);
      }, server.url);
      assert.deepEqual(result.wrong, []);
      assert.ok(result.valid > 50 && result.invalid > 190);
      console.log(`${name}: ${result.valid} valid and ${result.invalid} invalid cases`);
    });

    for (const kind of ["slide.rrip.tif", "slide.rrip.zarr.zip", "slide.rrip.zarr"]) {
      test(`tiles of ${kind} are those of read_region`, async () => {
        assert.equal(await visit(`?slide=/slides/${kind}`), "");
        const expected = JSON.parse(await readFile(`${SLIDES}/digests.json`, "utf8"));
        const found = await page.evaluate(async (places) => {
          const { slide } = globalThis.rrip;
          const hex = (data) => [...new Uint8Array(data)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
          const digests = {};
          for (const place of places) {
            const { pixels, faults } = await slide.block(...place.split("/").map(Number));
            if (faults.length) throw new Error(faults[0].message);
            const rgb = pixels.filter((_, k) => k % 4 !== 3);
            digests[place] = hex(await crypto.subtle.digest("SHA-256", rgb));
          }
          return digests;
        }, Object.keys(expected));
        assert.deepEqual(found, expected);
      });
    }

    test("opening, zooming to 1:1, moving and linking", async () => {
      await visit("?slide=/slides/slide.rrip.tif");
      await until(page, isDrawn);
      assert.equal(await page.evaluate(() => document.title), "slide.rrip.tif");
      await page.evaluate(() =>
        document.querySelectorAll("#zooms button").forEach((button) => button.textContent === "40×" && button.click()),
      );
      await until(
        page,
        () => /#\d+,\d+,/.test(location.hash) && document.getElementById("magnification").textContent === "40×",
      );
      await until(page, isDrawn);
      assert.match(await page.evaluate(() => document.getElementById("scale-text").textContent), /µm/);
      await shoot("40x");
      const before = await page.evaluate(() => location.hash);
      await page.mouse.move(600, 400);
      await page.mouse.down();
      await page.mouse.move(500, 350, { steps: 5 });
      await page.mouse.up();
      await until(page, (hash) => location.hash !== hash, before);
      await page.keyboard.press("ArrowRight");
      await until(page, isDrawn);
      const hash = await page.evaluate(() => location.hash);
      const there = await page.evaluate(() => globalThis.rrip.viewer.viewport.getCenter().x);
      await visit(`?slide=/slides/slide.rrip.tif${hash}`);
      await until(page, isDrawn);
      const again = await page.evaluate(() => globalThis.rrip.viewer.viewport.getCenter().x);
      assert.ok(Math.abs(there - again) < 0.01, `${there} and ${again} of ${hash}`);
      assert.deepEqual(await page.evaluate(() => globalThis.rrip.faults), []);
    });

    test("keys zoom by what they write, and links beside the slide lead to it", async () => {
      await visit("?slide=/slides/slide.rrip.tif#-9999,-9999,1000");
      await until(page, isDrawn);
      const zoom = () => page.evaluate(() => globalThis.rrip.viewer.viewport.getZoom());
      const isSeen = await page.evaluate(() => {
        const { viewport, world } = globalThis.rrip.viewer;
        return viewport.getBounds().intersection(world.getHomeBounds()) !== null;
      });
      assert.ok(isSeen && (await zoom()) < 1000);
      await page.keyboard.press("0");
      const before = await zoom();
      await page.keyboard.press("NumpadAdd");
      assert.ok(Math.abs((await zoom()) / before - 2) < 1e-6);
      await page.keyboard.press("-");
      assert.ok(Math.abs((await zoom()) / before - 1) < 1e-6);
    });

    test("what a server fails to bring is hatched, and comes when it is there again", async () => {
      let isDown = false;
      const other = await serve(FOLDERS, { change: () => (isDown ? Buffer.alloc(0) : null) });
      await visit("?slide=/slides/slide.rrip.tif#200,200,8", other);
      await until(page, isDrawn);
      await page.evaluate(async () => Object.assign((await import("/web/src/http.js")).patience, { pauseMs: 1 }));
      isDown = true;
      await page.evaluate(() => (location.hash = "#850,650,8"));
      await until(page, () => /storage\.failed/.test(document.getElementById("message").textContent));
      isDown = false;
      await page.evaluate(() => dispatchEvent(new Event("online")));
      await until(page, isDrawn);
      await until(page, () => !globalThis.rrip.faults.length && document.getElementById("message").hidden);
      await other.close();
    });

    test("turning, the panel and associated images", async () => {
      await visit("?slide=/slides/slide.rrip.tif");
      await page.click("#rotate-right");
      await until(page, () => globalThis.rrip.viewer.viewport.getRotation() % 360 === 90);
      await page.click("#info");
      await until(page, () => {
        const image = document.querySelector("#pictures img");
        return Boolean(image?.complete && image.naturalWidth);
      });
      const text = await page.evaluate(() => document.getElementById("panel").textContent);
      assert.match(text, /macro/);
      assert.match(text, /0\.25 × 0\.25 µm/);
      assert.match(text, /<img src=x onerror=/, "text from a container is text");
      assert.equal(await page.evaluate(() => globalThis.wasHacked), undefined);
      assert.equal(
        await page.evaluate(() => getComputedStyle(document.getElementById("colour")).display !== "none"),
        true,
      );
      await shoot("panel");
    });

    test("a damaged tile is hatched, and the rest is there", async () => {
      const place = JSON.parse(await readFile(`${SLIDES}/damaged.json`, "utf8"));
      await visit(`?slide=/slides/damaged.rrip.tif#${place.x},${place.y},1`);
      await until(page, isDrawn);
      assert.match(await page.evaluate(message), /tile\.checksum/);
      const faults = await page.evaluate(() => globalThis.rrip.faults.map(({ rule }) => rule));
      assert.ok(faults.includes("tile.checksum"));
      await shoot("damaged");
      const [red, green] = await colours(600, 420, 60, 60); // near the middle: #b4005a on #f5e6ef
      assert.ok(red > green + 12, `${red}, ${green} are not hatched`);
    });

    test("servers that do not do their part are named", async () => {
      const cases = [
        [{ ranges: false }, /ignores byte ranges.*rrip view/],
        [{ status: 403 }, /refuses it \(403\)/],
        [{ status: 404 }, /no such file \(404\)/],
        [{}, /CORS.*Access-Control-Allow-Origin/],
      ];
      for (const [options, pattern] of cases) {
        const other = await serve(FOLDERS, { cors: Object.keys(options).length > 0, ...options });
        assert.match(await visit(`?slide=${encodeURIComponent(`${other.url}/slides/slide.rrip.tif`)}`), pattern);
        await other.close();
      }
      await shoot("no-cors");
      const other = await serve(FOLDERS, { cors: true }); // which exposes no Content-Range
      for (const kind of ["slide.rrip.tif", "slide.rrip.zarr.zip", "slide.rrip.zarr"]) {
        assert.equal(await visit(`?slide=${encodeURIComponent(`${other.url}/slides/${kind}`)}`), "");
        await until(page, isDrawn);
      }
      await other.close();
      assert.match(await visit(`?slide=${encodeURIComponent("javascript:alert(1)")}`), /begins with https/);
    });

    test("rrip view lists several slides, and shows one", async () => {
      await page.goto(VIEW);
      await until(page, () => document.querySelectorAll("#slides a").length === 3);
      await shoot("list");
      await page.click("#slides li:nth-child(2) a");
      await until(page, () => Boolean(globalThis.rrip?.viewer?.world.getItemAt(0)));
      await until(page, isDrawn);
      assert.equal(await page.evaluate(message), "");
    });

    test("OpenSeadragon shows what rrip serve gives", async () => {
      await page.goto(`${server.url}/web/test/empty.html`);
      await page.addScriptTag({ url: `${server.url}/web/vendor/openseadragon.min.js` });
      await page.evaluate((url) => {
        const options = {
          id: "viewer",
          drawer: "canvas",
          crossOriginPolicy: "Anonymous",
          tileSources: `${url}/slide.rrip.tif.dzi`,
          showNavigationControl: false,
        };
        globalThis.rrip = { viewer: OpenSeadragon(options) };
      }, SERVE);
      await until(page, isDrawn);
      await shoot("deepzoom");
      const [red, green] = await colours(400, 300, 100, 100);
      assert.ok(red > green + 20 && green > 50, `${red}, ${green} is not the slide`);
    });

    test("the page keeps to its security policy", () => assert.deepEqual(complaints, []));
  });
}
