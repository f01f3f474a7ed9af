// Keeps a page from `raytuner ui` up to date: asks the server what the page would be made of now,
// and loads it again when that has changed and nobody is using the page. The reader's place,
// opened sections and filled fields stay. Does nothing in a page that is opened as a file.
"use strict";
(() => {
  const page = document.documentElement;
  const shown = page.dataset.live;
  if (!shown || !location.protocol.startsWith("http")) return;

  const PLACE = "raytuner-place";
  const OFTEN = 2000, SELDOM = 10000, IDLE = 1500, FRESH = 60000;
  let touched = -IDLE;
  for (const kind of ["pointerdown", "keydown", "wheel", "touchmove", "scroll", "input"]) {
    addEventListener(kind, () => { touched = performance.now(); }, { passive: true, capture: true });
  }

  const sections = () => [...document.querySelectorAll("details")].map((one) => [
    one.id || "~" + (one.querySelector("summary")?.textContent ?? ""), one,
  ]);
  const fields = () => [...document.querySelectorAll("input[id], select[id], textarea[id]")];

  function save() {
    let anchor = null;
    for (const one of document.querySelectorAll("[id]")) {
      const box = one.getBoundingClientRect();
      if (box.height && box.top <= 80) anchor = [one.id, box.top];
      else if (box.height) break;
    }
    const place = {
      at: Date.now(), x: scrollX, y: scrollY, anchor,
      open: sections().map(([key, one]) => [key, one.open]),
      fields: fields().map((one) => [one.id, one.value, one.checked ?? null]),
      focus: document.activeElement?.id ?? "",
    };
    try {
      sessionStorage.setItem(PLACE, JSON.stringify(place));
      history.scrollRestoration = "manual";
    } catch { /* no storage: the page begins at the top */ }
  }

  function restore() {
    let place = null;
    try {
      place = JSON.parse(sessionStorage.getItem(PLACE));
      sessionStorage.removeItem(PLACE);
    } catch { /* nothing to go back to */ }
    if (!place || Date.now() - place.at > FRESH) return;
    const open = new Map(place.open);
    for (const [key, one] of sections()) if (open.has(key)) one.open = open.get(key);
    for (const [id, value, checked] of place.fields) {
      const one = document.getElementById(id);
      if (!one || (one.value === value && (one.checked ?? null) === checked)) continue;
      one.value = value;
      if (checked !== null) one.checked = checked;
      one.dispatchEvent(new Event("input", { bubbles: true }));
      one.dispatchEvent(new Event("change", { bubbles: true }));
    }
    document.getElementById(place.focus)?.focus({ preventScroll: true });
    const back = () => {
      const anchor = place.anchor && document.getElementById(place.anchor[0]);
      scrollTo({
        left: place.x, behavior: "instant",
        top: anchor ? scrollY + anchor.getBoundingClientRect().top - place.anchor[1] : place.y,
      });
      touched = -IDLE;
    };
    // After whoever follows the address's fragment in the first frame.
    requestAnimationFrame(() => requestAnimationFrame(back));
  }

  function badge() {
    let one = document.querySelector("[data-live-status]");
    if (!one) {
      one = document.createElement("div");
      one.dataset.liveStatus = "";
      Object.assign(one.style, {
        position: "fixed", right: "0.75rem", bottom: "0.75rem", padding: "0.25rem 0.6rem",
        font: "0.8rem system-ui, sans-serif", color: "CanvasText", background: "Canvas",
        border: "1px solid GrayText", borderRadius: "0.3rem", zIndex: 10,
      });
      document.body.append(one);
    }
    one.setAttribute("role", "status");
    return one;
  }
  const status = badge();
  function say(text) { if (status.textContent !== text) status.textContent = text; }

  const busy = () => performance.now() - touched < IDLE || !getSelection().isCollapsed;

  async function look() {
    let pause = document.hidden ? SELDOM : OFTEN;
    try {
      const answer = await fetch("state", { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const state = await answer.json();
      if (state.version === shown) {
        say(state.running ? "Live: the study is running" : "Live: nothing is running");
      } else if (busy()) {
        say("New results: shown when you pause");
        pause = IDLE / 2;
      } else {
        save();
        location.reload();
        return;
      }
    } catch {
      say("Not live any more: raytuner ui has ended");
      pause = SELDOM;
    }
    setTimeout(look, pause);
  }

  if (document.readyState === "complete") restore();
  else addEventListener("load", restore, { once: true });
  setTimeout(look, OFTEN / 2);
})();
