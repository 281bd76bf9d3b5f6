/*
 * The chat page. What a customer or the server wrote is only ever put in as text, never as HTML.
 *
 * A message gets its id here, before it is sent, and stays in local storage until its reply is on
 * the page. So it can be sent again after a lost connection, a restart of the server or a reload,
 * and is answered once.
 */

const labels = JSON.parse(document.body.dataset.labels);
const language = document.body.dataset.language;
const byId = (id) => document.getElementById(id);
const page = Object.fromEntries(
  ["form", "message", "log", "scroll", "welcome", "progress", "stage", "notice", "model", "restart"]
    .map((id) => [id, byId(id)]),
);

const SILENCE_MS = 45_000; // the server gives a sign of life every 15 seconds
const LONGEST_PAUSE_MS = 15_000;
const LATE_POLL_MS = 5_000;
const HANDED_OFF_POLL_MS = 30_000;
const MODEL_POLL_MS = 5_000;
const AWAY = [502, 503, 504]; // what a proxy says of a server that restarts, or it of itself
const GIVE_UP_MS = 5 * 60_000; // of trying to send one message

/* What the browser keeps. Without storage the page works until it is closed. */

const memory = new Map();

function load(name) {
  try {
    return JSON.parse(localStorage.getItem(`frontdesk.${name}`));
  } catch {
    return memory.get(name) ?? null;
  }
}

function save(name, value) {
  memory.set(name, value);
  try {
    localStorage.setItem(`frontdesk.${name}`, JSON.stringify(value));
  } catch { /* storage is full or forbidden: the copy in memory serves */ }
}

let conversation = load("conversation");
let pending = load("pending") ?? [];
let life = new AbortController(); // ends everything that belongs to this conversation
let handedOff = false;
let underway = 0;
let door = Promise.resolve(); // opens once the server has the message before

function setPending(messages) {
  pending = messages;
  save("pending", pending);
}

/* Drawing */

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function nearBottom() {
  return page.scroll.scrollHeight - page.scroll.scrollTop - page.scroll.clientHeight < 140;
}

function toBottom() {
  page.scroll.scrollTop = page.scroll.scrollHeight;
}

function keepInView(change) {
  const follow = nearBottom();
  change();
  if (follow) toBottom();
}

/* Replies are Markdown; of it, paragraphs, lists, tables and bold words are shown. */
function blocks(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const [, bullet, number, item] = /^\s*(?:([-*•])|(\d{1,3})[.)、])\s+(.*)$/.exec(line) ?? [];
    const isRow = /^\s*\|.*\|\s*$/.test(line);
    const kind = bullet ? "ul" : number ? "ol" : isRow ? "table" : line.trim() ? "p" : "gap";
    const last = found.at(-1);
    if (last?.kind === kind) last.lines.push(item ?? line);
    else found.push({ kind, start: Number(number), lines: [item ?? line] });
  }
  return found.filter((block) => block.kind !== "gap");
}

function inline(parent, text) {
  for (const [index, part] of text.split(/\*\*(.+?)\*\*/s).entries()) {
    if (part) parent.append(index % 2 ? element("strong", "", part) : part);
  }
  return parent;
}

function drawBlock({ kind, start, lines }) {
  if (kind === "p") return inline(element("p"), lines.join("\n"));
  if (kind === "table") return drawTable(lines);
  const list = element(kind);
  if (kind === "ol") list.start = start;
  list.append(...lines.map((line) => inline(element("li"), line)));
  return list;
}

function drawTable(lines) {
  const rows = lines.map((line) => line.trim().slice(1, -1).split("|").map((cell) => cell.trim()));
  const ruled = rows.length > 1 && rows[1].every((cell) => /^:?-+:?$/.test(cell));
  const table = element("table");
  for (const [index, cells] of rows.entries()) {
    if (ruled && index === 1) continue;
    const row = element("tr");
    row.append(...cells.map((cell) => inline(element(ruled && index === 0 ? "th" : "td"), cell)));
    table.append(row);
  }
  const frame = element("div", "wide");
  frame.tabIndex = 0; // so that a wide table can be scrolled by keyboard
  frame.append(table);
  return frame;
}

function drawText(turn, text) {
  const bubble = turn.querySelector(".bubble");
  if (turn.classList.contains("customer")) bubble.replaceChildren(element("p", "", text));
  else bubble.replaceChildren(...blocks(text).map(drawBlock));
}

function isWebAddress(url) {
  try {
    return ["http:", "https:"].includes(new URL(url).protocol);
  } catch {
    return false;
  }
}

function drawSource({ title, url }) {
  const item = element("li");
  if (isWebAddress(url)) {
    const link = element("a", "source", title);
    link.href = url;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    link.append(element("span", "hidden", ` (${labels.opens_new_tab})`));
    item.append(link);
  } else {
    item.append(element("span", "source", title));
  }
  return item;
}

function drawSources(turn, citations) {
  const sources = [...new Map(citations.map((source) => [source.title + source.url, source])).values()];
  if (!sources.length) return;
  const list = element("ul", "sources");
  list.append(element("li", "", sources.length > 1 ? labels.sources : labels.source));
  list.append(...sources.map(drawSource));
  turn.append(list);
}

/* A button is as good as writing its command. Once one is pressed, none of them is needed. */
function drawChoices(turn, choices) {
  if (!choices.length) return;
  const list = element("ul", "choices");
  list.setAttribute("aria-label", labels.choices);
  for (const { label, command } of choices) {
    const button = element("button", "choice", label);
    button.type = "button";
    button.addEventListener("click", () => {
      for (const other of list.querySelectorAll("button")) other.disabled = true;
      submit(command);
      page.message.focus();
    });
    const item = element("li");
    item.append(button);
    list.append(item);
  }
  turn.append(list);
}

function drawFile(turn, { name, text }) {
  const link = element("a", "file", `${labels.download} ${name}`);
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  link.download = name;
  turn.append(link);
}

function addTurn(role, { text = "", citations = [], id, turn, handed_off = false }) {
  const node = element("li", `turn ${role}`);
  const name = { customer: labels.you, agent: labels.agent }[role] ?? labels.assistant;
  node.append(element("span", role === "customer" ? "who hidden" : "who", name));
  node.append(element("div", "bubble"));
  drawText(node, text);
  finishTurn(node, { citations, id, turn, handed_off });
  page.welcome.hidden = true;
  page.restart.hidden = false;
  keepInView(() => page.log.append(node));
  return node;
}

function finishTurn(node, { citations = [], id, turn, handed_off = false }) {
  if (id) node.dataset.id = id;
  if (turn) node.dataset.turn = turn;
  drawSources(node, citations);
  if (handed_off) {
    handedOff = true;
    node.append(element("p", "handed-off", labels.handed_off));
  }
}

function turnShown(name, value) {
  return [...page.log.children].find((node) => value && node.dataset[name] === value);
}

function showStage(text) {
  keepInView(() => {
    page.stage.textContent = text;
    page.progress.hidden = underway === 0;
  });
}

function showNotice(text, retry) {
  page.notice.replaceChildren(text ?? "");
  if (retry) {
    const button = element("button", "", labels.try_again);
    button.type = "button";
    button.addEventListener("click", retry);
    page.notice.append(button);
  }
  keepInView(() => { page.notice.hidden = !text; });
}

/* Talking to the server */

class Refused extends Error {
  constructor({ code, message }, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

async function call(path, options = {}, signal = life.signal) {
  const response = await fetch(path, {
    ...options,
    signal,
    headers: { "Accept-Language": language, ...options.headers },
  });
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({ error: { code: "", message: labels.failed } }));
  throw new Refused(error, response.status);
}

/* The address comes before the first message, so that even that can be sent twice. */
async function address() {
  if (!conversation) {
    const response = await call("/api/v1/conversations", { method: "POST" });
    conversation ??= (await response.json()).conversation;
    save("conversation", conversation);
  }
  return conversation;
}

async function* serverEvents(response, onSound) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    onSound();
    const parts = (buffer + value).split("\n\n");
    buffer = parts.pop();
    for (const part of parts) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(part) ?? [];
      if (name) yield [name, JSON.parse(data)];
    }
  }
}

/* Sends a message and draws the answer as it comes; throws if the connection is lost. */
async function ask(message, onStored) {
  const silence = new AbortController();
  let timer;
  const onSound = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  let node = null;
  let text = "";
  try {
    const body = JSON.stringify({ conversation: await address(), text: message.text, id: message.id });
    onSound();
    const response = await call("/api/v1/messages", {
      method: "POST",
      body,
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
    }, AbortSignal.any([life.signal, silence.signal]));
    onStored();
    showNotice(null);
    for await (const [name, data] of serverEvents(response, onSound)) {
      if (name === "progress") showStage(labels[data.stage] ?? labels.typing);
      if (name === "error") throw new Refused(data.error, 504);
      if (name === "text") {
        text += data.delta;
        node ??= addTurn("assistant", {});
        node.setAttribute("aria-busy", "true");
        keepInView(() => drawText(node, text));
      }
      if (name === "done") {
        showAnswer(node, data);
        return;
      }
    }
    throw new TypeError("the stream ended early");
  } catch (error) {
    node?.remove();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function showAnswer(node, { turn, reply, handed_off, choices, document: file }) {
  if (turnShown("turn", turn)) {
    node?.remove();
    return;
  }
  const shown = node ?? addTurn("assistant", {});
  keepInView(() => {
    drawText(shown, reply.text);
    finishTurn(shown, { citations: reply.citations, turn, handed_off });
    drawChoices(shown, choices);
    if (file) drawFile(shown, file);
    shown.removeAttribute("aria-busy");
  });
}

/* Waits, but no longer than until the browser is online again. */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const settle = (how) => {
      clearTimeout(timer);
      over.abort();
      how(signal.reason);
    };
    const timer = setTimeout(settle, ms, resolve);
    addEventListener("online", () => settle(resolve), { signal: over.signal });
    signal.addEventListener("abort", () => settle(reject), { signal: over.signal });
  });
}

/*
 * Tries until the message is answered, the server refuses it for good, or it took too long. What
 * was written before goes first: the server answers in the order in which it gets the messages.
 */
async function deliver(message) {
  const { signal } = life;
  const before = door;
  let open;
  door = new Promise((resolve) => { open = resolve; });
  underway += 1;
  showStage(labels.typing);
  try {
    await before;
    const end = Date.now() + GIVE_UP_MS;
    for (let wait = 1000; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
      try {
        await ask(message, open);
        break;
      } catch (error) {
        if (signal.aborted) return;
        if (error.code === "answer_late") {
          showNotice(error.message);
          await waitInHistory(message, signal);
          break;
        }
        if (error instanceof Refused && !AWAY.includes(error.status)) {
          setPending(pending.filter((other) => other.id !== message.id));
          offerAgain(message, error.message);
          return;
        }
        if (Date.now() >= end) {
          offerAgain(message, labels.gave_up);
          return;
        }
        showNotice(navigator.onLine ? labels.connecting : labels.offline);
        await pause(wait, signal);
      }
    }
    setPending(pending.filter((other) => other.id !== message.id));
    showNotice(null);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    open();
    if (!signal.aborted) {
      underway -= 1;
      showStage(labels.typing);
    }
  }
}

function offerAgain(message, reason) {
  showNotice(reason || labels.failed, () => {
    showNotice(null);
    setPending([...pending.filter((other) => other.id !== message.id), message]);
    deliver(message);
  });
}

async function waitInHistory(message, signal) {
  for (;;) {
    await pause(LATE_POLL_MS, signal);
    const turns = await history();
    if (!turns.some((turn) => turn.id === message.id && turn.answered)) continue;
    showTurns(turns);
    return;
  }
}

async function history() {
  if (!conversation) return [];
  try {
    const response = await call(`/api/v1/conversations/${conversation}`);
    return (await response.json()).turns;
  } catch {
    return []; // not begun yet, or out of reach: what is on the page stays
  }
}

function showTurns(turns) {
  for (const turn of turns) {
    const shown = turnShown("turn", turn.turn) ?? turnShown("id", turn.id);
    if (shown) finishTurn(shown, { turn: turn.turn });
    else addTurn(turn.role, turn);
  }
}

/* What the customer does */

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function submit(text) {
  const message = { id: newId(), text };
  setPending([...pending, message]);
  addTurn("customer", message);
  toBottom();
  deliver(message);
}

function fitMessage() {
  page.message.style.height = "auto";
  page.message.style.height = `${page.message.scrollHeight}px`;
}

page.form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = page.message.value.trim();
  if (!text) return;
  page.message.value = "";
  fitMessage();
  submit(text);
  page.message.focus();
});

page.message.addEventListener("input", fitMessage);

page.message.addEventListener("keydown", (event) => {
  // While an input method composes (Chinese), Enter chooses a word.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  page.form.requestSubmit();
});

for (const button of document.querySelectorAll(".starter")) {
  button.addEventListener("click", () => {
    submit(button.textContent);
    page.message.focus();
  });
}

page.restart.addEventListener("click", () => {
  if (!confirm(labels.new_conversation_question)) return;
  life.abort();
  life = new AbortController();
  conversation = null;
  save("conversation", null);
  setPending([]);
  handedOff = false;
  underway = 0;
  page.log.replaceChildren();
  page.welcome.hidden = false;
  page.restart.hidden = true;
  showNotice(null);
  showStage("");
  page.message.focus();
});

/* Keeps what was typed when the language is switched. */
addEventListener("pagehide", () => {
  try {
    sessionStorage.setItem("frontdesk.draft", page.message.value);
  } catch { /* the draft is lost, nothing else */ }
});

function restoreDraft() {
  try {
    page.message.value ||= sessionStorage.getItem("frontdesk.draft") ?? "";
    fitMessage();
  } catch { /* there is none */ }
}

/* Around it */

async function watchModel() {
  let ready = false;
  try {
    const { model } = await (await call("/api/v1/status", {}, undefined)).json();
    ready = model === "ready";
    page.model.textContent = labels[`model_${model}`] ?? "";
    page.model.hidden = ready;
  } catch { /* asked again below */ }
  if (!ready) setTimeout(watchModel, MODEL_POLL_MS);
}

async function watchTeam() {
  if (handedOff && !document.hidden && underway === 0) showTurns(await history());
  setTimeout(watchTeam, HANDED_OFF_POLL_MS);
}

async function resume() {
  const turns = await history();
  showTurns(turns);
  const waiting = turns.filter(({ id, answered }) => id && !answered).map(({ id, text }) => ({ id, text }));
  const known = new Set(pending.map(({ id }) => id));
  setPending([...waiting.filter(({ id }) => !known.has(id)), ...pending]);
  for (const message of pending) {
    if (!turnShown("id", message.id)) addTurn("customer", message);
    deliver(message);
  }
  toBottom();
}

restoreDraft();
resume();
watchModel();
setTimeout(watchTeam, HANDED_OFF_POLL_MS);
