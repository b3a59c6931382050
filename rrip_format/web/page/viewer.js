// A slide in OpenSeadragon: buttons, keys, scale bar, and the place in the address.

import { createTileSource, viewerOptions } from "../src/openseadragon.js";
import { formatPlace, parsePlace } from "./place.js";
import { scaleBar, shownMagnification, zoomChoices } from "./scale.js";

const element = (id) => document.getElementById(id);
const MAX_SCALE_PX = 180;
/** Time after which a view that is not complete says so, ms. */
const LOADING_MS = 400;
/** Screen px for one px of level 0, at most: a single pixel can be told, and slides of 10× go to 40×. */
const MOST_ZOOM = 8;

/** Show a slide; a function that takes it away again is returned. */
export function showSlide(slide, { onFault }) {
  const { OpenSeadragon } = window;
  const source = createTileSource(OpenSeadragon, slide, { onFault });
  const start = parsePlace(location.hash);
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const viewer = new OpenSeadragon.Viewer({
    ...viewerOptions(slide),
    element: element("viewer"),
    drawer: "canvas",
    tileSources: source,
    showNavigationControl: false,
    showNavigator: true,
    navigatorPosition: "BOTTOM_RIGHT",
    navigatorAutoFade: false,
    navigatorBackground: "#fff",
    animationTime: isStill ? 0 : 0.4,
    maxZoomPixelRatio: MOST_ZOOM,
    smoothTileEdgesMinZoom: Infinity,
    visibilityRatio: 0.2,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    gestureSettingsPen: { clickToZoom: false, dblClickToZoom: true },
    gestureSettingsTouch: { pinchRotate: false },
  });
  const { viewport } = viewer;
  const image = () => viewer.world.getItemAt(0);
  const zoomNow = (now = false) => image().viewportToImageZoom(viewport.getZoom(now));
  const zoomTo = (zoom) => viewport.zoomTo(image().imageToViewportZoom(zoom)).applyConstraints();

  function goTo({ x, y, zoom, degrees }, immediately) {
    viewport.setRotation(degrees, true);
    viewport.panTo(image().imageToViewportCoordinates(x, y), immediately);
    viewport.zoomTo(image().imageToViewportZoom(zoom), undefined, immediately);
    viewport.applyConstraints(immediately); // a link may lead beside the slide
  }

  function place() {
    const centre = image().viewportToImageCoordinates(viewport.getCenter());
    return { x: centre.x, y: centre.y, zoom: zoomNow(), degrees: viewport.getRotation() };
  }

  function update() {
    if (!image()) return;
    const zoom = zoomNow(true);
    element("magnification").textContent = shownMagnification(slide.metadata.slide, zoom);
    const { mpp } = slide.metadata.slide;
    const isTurned = viewport.getRotation() % 180 !== 0;
    element("scale").hidden = !mpp;
    if (mpp) {
      const { width, text } = scaleBar(mpp[isTurned ? 1 : 0] / zoom, MAX_SCALE_PX);
      element("scale").style.width = `${width}px`;
      element("scale-text").textContent = text;
    }
    for (const button of element("zooms").children) {
      button.setAttribute("aria-pressed", String(Math.abs(button.zoom / zoom - 1) < 0.01));
    }
  }

  const choices = zoomChoices(slide.metadata.slide).filter(({ zoom }) => zoom <= MOST_ZOOM);
  element("zooms").replaceChildren(
    ...choices.map(({ name, zoom }) => {
      const button = Object.assign(document.createElement("button"), {
        textContent: name,
        zoom,
        title: `Magnification ${name}`,
      });
      button.addEventListener("click", () => zoomTo(zoom));
      return button;
    }),
  );

  const rotate = (degrees) => viewport.setRotation(Math.round((viewport.getRotation() + degrees) / 90) * 90);
  const actions = {
    "zoom-in": () => viewport.zoomBy(2).applyConstraints(),
    "zoom-out": () => viewport.zoomBy(0.5).applyConstraints(),
    home: () => viewport.goHome(),
    "rotate-left": () => rotate(-90),
    "rotate-right": () => rotate(90),
    full: () =>
      document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.(),
    link: () => {
      history.replaceState(null, "", formatPlace(place()));
      void navigator.clipboard?.writeText(location.href).catch(() => {});
    },
  };
  // By what keys write: OpenSeadragon goes by their places on an American keyboard.
  const zoomKeys = { "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", _: "zoom-out" };
  const keys = { ...zoomKeys, 0: "home", r: "rotate-right", R: "rotate-left", f: "full", l: "link", i: "info" };
  const away = new AbortController();
  for (const [id, action] of Object.entries(actions))
    element(id).addEventListener("click", action, { signal: away.signal });
  viewer.addHandler("canvas-key", (event) => {
    const { key, ctrlKey, metaKey, altKey } = event.originalEvent;
    if (ctrlKey || metaKey || altKey) return;
    const choice = /^[1-9]$/.test(key) ? choices[Number(key) - 1] : null;
    if (choice) zoomTo(choice.zoom);
    else if (key in keys) element(keys[key]).click();
    else return;
    event.preventDefaultAction = true;
  });

  // A view that is still blurred says so.
  let timer = 0;
  const sayLoading = () => {
    clearTimeout(timer);
    timer = setTimeout(() => (element("loading").hidden = Boolean(image()?.getFullyLoaded())), LOADING_MS);
  };
  viewer.world.addHandler("add-item", ({ item }) => {
    item.addHandler("fully-loaded-change", sayLoading);
    sayLoading();
  });

  viewer.addOnceHandler("open", () => {
    if (start) goTo(start, true);
    update();
    viewer.canvas.focus?.();
  });
  viewer.addHandler("animation", update);
  viewer.addHandler("resize", update);
  viewer.addHandler("rotate", update);
  viewer.addHandler("animation-finish", () => {
    source.cancelOutside(viewport);
    history.replaceState(null, "", formatPlace(place()));
    update();
  });
  addEventListener(
    "hashchange",
    () => {
      const wanted = parsePlace(location.hash);
      if (wanted && image() && formatPlace(wanted) !== formatPlace(place())) goTo(wanted, false);
    },
    { signal: away.signal },
  );

  return {
    viewer,
    close() {
      away.abort();
      clearTimeout(timer);
      element("loading").hidden = true;
      viewer.destroy();
    },
  };
}
