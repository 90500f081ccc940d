// Conveniences only: every page works without this file.
(() => {
  "use strict";

  const toast = (text) => {
    const region = document.getElementById("toast");
    if (!region) return;
    region.textContent = text;
    region.classList.add("toast");
    clearTimeout(toast.timer);
    toast.timer = setTimeout(() => { region.textContent = ""; region.classList.remove("toast"); }, 2500);
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied");
    } catch {
      toast("The browser did not allow copying");
    }
  };

  document.documentElement.classList.add("js");
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button.dataset.copy);
  });

  // Keys, unless a person types or has switched them off.
  const off = () => { try { return localStorage.getItem("keys") === "off"; } catch { return false; } };
  const typing = (element) => element.closest("input, textarea, select, [contenteditable]");
  const rows = () => [...document.querySelectorAll("main tbody tr:has(a)")];
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.contains(document.activeElement));
    const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
    next.querySelector("a").focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const keys = {
    "/": () => document.querySelector("main input[type=search], .top input[type=search]")?.focus(),
    "j": () => move(1),
    "k": () => move(-1),
    "x": () => document.activeElement.closest("tr")?.querySelector("input[type=checkbox]")?.click(),
    "c": () => document.querySelector(".pickbar button[type=submit]")?.click(),
    "y": () => { const link = document.querySelector("link[rel=canonical]"); if (link) history.replaceState(null, "", link.href); },
    "v": () => document.querySelector("[data-key=v], main form[action$='/-/reverify'] button")?.click(),
    ".": () => { const first = document.querySelector(".cmd [data-copy]"); if (first) copy(first.dataset.copy); },
    "?": () => document.getElementById("keys")?.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || (off() && event.key !== "?")) return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  const toggle = document.getElementById("keys-off");
  if (toggle) {
    toggle.checked = off();
    toggle.addEventListener("change", () => { try { localStorage.setItem("keys", toggle.checked ? "off" : "on"); } catch { /* private window */ } });
  }
  // A page that was asked for progress tells it to those who cannot see it.
  document.addEventListener("htmx:responseError", () => toast("The server did not answer as expected; reload the page"));
  document.addEventListener("htmx:sendError", () => toast("The server cannot be reached"));
})();
