// What the pages do beyond the theme: the other language at the same place, a script beside the page, and a
// search for an error message as it was pasted.
"use strict";

// --- The language switch: the same page, the section of the same number, as far down in it

const TOP = 100; // pixels below the window's upper edge, under the header: the line that is being read

/** Where each section begins, in pixels from the page's upper edge, and where the last one ends. */
function edges() {
  const elements = [...document.querySelectorAll("article :is(h1, h2, h3)"), document.querySelector("footer")];
  return elements.map((element) => element.getBoundingClientRect().top + scrollY);
}

function rememberPlace() {
  const all = edges();
  const line = scrollY + TOP;
  const number = all.slice(0, -1).findLastIndex((top) => top <= line);
  if (number < 0) return;
  const share = (line - all[number]) / (all[number + 1] - all[number]);
  sessionStorage.setItem("desk.place", JSON.stringify([number, share]));
}

function returnToPlace() {
  const [number, share] = JSON.parse(sessionStorage.getItem("desk.place")) || [];
  sessionStorage.removeItem("desk.place");
  const [start, end] = edges().slice(number, number + 2);
  if (number === undefined || end === undefined) return;
  scrollTo({ top: start + share * (end - start) - TOP, behavior: "instant" });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const language = link?.pathname.match(/\/(en|zh)\/[^/]*$/)?.[1];
  if (!language || language === document.documentElement.lang) return;
  link.href = `../${language}/${location.pathname.split("/").pop() || "index.html"}`;
  rememberPlace();
}, true);
addEventListener("load", returnToPlace);

// --- A script beside the page, where the window is wide enough for both

const beside = document.createElement("aside");
beside.className = "desk-script";
beside.innerHTML = '<header><a target="_blank"></a><button aria-label="×">×</button></header><iframe title="script"></iframe>';
document.body.append(beside);

/** Open or close the column; what is being read stays where it is, although its lines break anew. */
function showScript(open, reading) {
  const before = reading.getBoundingClientRect().top;
  document.body.classList.toggle("desk-open", open);
  scrollBy({ top: reading.getBoundingClientRect().top - before, behavior: "instant" });
}

function closeScript() {
  const blocks = [...document.querySelectorAll("article :is(h1, h2, h3, p, pre, tr, li, summary)")];
  showScript(false, blocks.find((block) => block.getBoundingClientRect().bottom > TOP) || beside);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (event.target.closest(".desk-script button")) return closeScript();
  if (!link || !link.pathname.includes("/scripts/") || link.closest(".desk-script")) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || innerWidth < 960) return; // as any other link
  event.preventDefault();
  beside.querySelector("header a").href = link.href;
  beside.querySelector("header a").textContent = link.pathname.split("/scripts/")[1].replace(/html$/, "py");
  beside.querySelector("iframe").src = link.href;
  showScript(true, link);
});
addEventListener("keydown", (event) => event.key === "Escape" && closeScript());

// --- An error message, pasted whole

/** The words of a line, in small letters. */
function words(line) {
  return line.toLowerCase().match(/[\p{L}\d_]+/gu) || [];
}

let messages; // what the pages' sections have as titles and code, line by line, once it has been asked for

async function fetchMessages() {
  const answer = await fetch("search.json");
  return (await answer.json()).items.map((item) => {
    const section = new DOMParser().parseFromString(item.text, "text/html");
    const code = [...section.querySelectorAll("code")].map((element) => element.textContent);
    return [item.title, ...code.flatMap((text) => text.split("\n"))];
  });
}

/**
 * What to search for instead of a pasted message: the lines of the one section that says most of it. The search
 * finds sections that have every word, and no page has a learner's own paths and numbers.
 */
async function messageOnAPage(pasted) {
  const known = new Set(words(pasted));
  let best = "", most = 0;
  for (const lines of await (messages ??= fetchMessages())) {
    const said = lines.filter((line) => {
      const own = words(line);
      const found = own.filter((word) => known.has(word)).length;
      return found > 0.7 * own.length && (own.length > 3 || /^\w+(Error|Warning)\b/.test(line));
    });
    let nearness = 0;
    for (const word of new Set(words(said.join(" ")))) nearness += known.has(word) ? 1 : -2;
    if (nearness > most) [best, most] = [said.join(" "), nearness];
  }
  return best;
}

document.addEventListener("paste", async (event) => {
  const input = event.composedPath()[0]; // the search has a document of its own in the page
  const pasted = event.clipboardData.getData("text");
  if (input.tagName !== "INPUT" || words(pasted).length < 4) return;
  const message = await messageOnAPage(pasted);
  if (!message) return;
  input.value = message;
  input.dispatchEvent(new Event("input", { bubbles: true }));
});
