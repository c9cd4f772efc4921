// The few lines that make the dashboard quicker to use. Without them every page works: links lead to pages that ask,
// forms are sent, figures are as old as the page.
"use strict";

const all = (selector, from = document) => [...from.querySelectorAll(selector)];

// Figures and lists that change by themselves.
const live = () => {
  if (!document.querySelector("[data-live],[data-part]")) return;
  const stream = new EventSource("/live");
  let busy = false;
  stream.onmessage = async (event) => {
    const { texts, parts } = JSON.parse(event.data);
    for (const element of all("[data-live]")) {
      const text = texts[element.dataset.live];
      if (text !== undefined && text !== element.textContent) element.textContent = text;
    }
    const stale = all("[data-part]").some(
      (element) => element.dataset.part in parts && element.dataset.version !== parts[element.dataset.part],
    );
    if (!stale || busy) return;
    busy = true;
    try {
      await fetchParts();
    } catch {
      // Gone, signed out, or away: no hurry.
      await new Promise((later) => setTimeout(later, 10000));
    }
    busy = false;
  };
  addEventListener("pagehide", () => stream.close(), { once: true });
};

const load = async (path) => {
  const answer = await fetch(path, { credentials: "same-origin", headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error("not this page");
  return new DOMParser().parseFromString(await answer.text(), "text/html");
};

// A part is exchanged when its version differs and nobody is at work in it.
const fetchParts = async () => {
  const fresh = await load(location.href);
  for (const element of all("[data-part]")) {
    const next = document.getElementById(element.id) && fresh.getElementById(element.id);
    if (!next || next.dataset.version === element.dataset.version) continue;
    if (element.contains(document.activeElement)) continue;
    const open = all("details", element).map((details) => details.open);
    const node = document.importNode(next, true);
    all("details", node).forEach((details, index) => (details.open = open[index] || false));
    element.replaceWith(node);
    dress(node);
  }
};

// A link to a question opens it as a dialog; where that fails, it leads to the question's page.
const ask = async (event) => {
  const link = event.target.closest?.("a[data-dialog]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  let page;
  try {
    page = await load(link.href);
  } catch {
    location.assign(link.href);
    return;
  }
  const [title, form] = [page.querySelector("h1"), page.getElementById("confirm")];
  if (!title || !form) {
    location.assign(link.href);
    return;
  }
  const dialog = document.createElement("dialog");
  title.id = "dialog-title";
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.append(document.importNode(title, true), document.importNode(form, true));
  dialog.querySelector("[data-cancel]")?.addEventListener("click", (click) => {
    click.preventDefault();
    dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    link.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
};

const copy = async (button) => {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand("copy");
  }
  const before = button.textContent;
  button.textContent = button.dataset.done;
  setTimeout(() => (button.textContent = before), 2000);
};

// As the box reckons it, in `Strength::of`.
const strength = (field) => {
  const told = document.getElementById(field.dataset.strength);
  field.addEventListener("input", () => {
    const characters = [...field.value];
    const worth = Math.min(characters.length, new Set(characters).size * 2);
    const text = worth < 10 ? "weak" : worth < 16 ? "fair" : "strong";
    told.textContent = characters.length ? told.dataset[text] : "";
  });
};

// While the box is away, asks until it is back.
const wait = (element) => {
  element.hidden = false;
  const begun = Date.now();
  const ask = async () => {
    try {
      const answer = await fetch(element.dataset.wait, { cache: "no-store", redirect: "manual" });
      if ((answer.ok || answer.type === "opaqueredirect") && Date.now() - begun > 3000) {
        location.assign(element.dataset.wait);
        return;
      }
    } catch {
      // Not yet.
    }
    setTimeout(ask, 1500);
  };
  setTimeout(ask, 1500);
};

// What only works with script is shown by it.
const dress = (from) => {
  for (const button of all("[data-copy]", from)) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
  for (const button of all("[data-print]", from)) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }
};

dress(document);
all("[data-strength]").forEach(strength);
all("[data-wait]").forEach(wait);
document.addEventListener("click", ask);
// A form is sent once: a second click while it is on its way does nothing.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
  setTimeout(() => delete event.target.dataset.sent, 4000);
});
document.querySelector(".summary")?.focus();
live();
// Back from the browser's memory, the stream is begun anew.
addEventListener("pageshow", (event) => event.persisted && live());
