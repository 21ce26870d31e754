// The page of `edgecnn run --serve`: shows the stream, follows the readings, sends drawings and pictures to be read.
"use strict";
const $ = (id) => document.getElementById(id);

// --- live ---------------------------------------------------------------------------------------
let running = true;
let heard = 0;

function showStream() {
  // A new address each time: a browser does not load a broken <img> again by itself.
  $("picture").src = `stream.mjpg?${Date.now()}`;
}

function follow() {
  const events = new EventSource("api/readings");
  events.onmessage = (event) => {
    const message = JSON.parse(event.data);
    heard = Date.now();
    running = message.running;
    $("number").textContent = message.text.replaceAll("|", "\n") || "\u00a0";
    const film = message.position !== null; // how fast a film is read means nothing to who sees it
    $("live-title").textContent = film ? "Video" : "Camera";
    $("when").textContent = film ? "position" : "age";
    $("age").textContent = message.position ?? (message.age_ms === null ? "–" : `${message.age_ms.toFixed(0)} ms`);
    $("speed").hidden = film;
    $("rate").textContent = message.fps === null ? "–" : `${message.fps.toFixed(1)} /s`;
    $("dropped").textContent = message.dropped;
    $("state").textContent = message.note ?? (running ? "" : "stopped");
    $("toggle").textContent = running ? "Stop" : "Start";
    $("toggle").disabled = message.ended;
    $("about").textContent = message.about;
  };
  events.onerror = () => {
    $("state").textContent = "no connection, trying again";
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  };
}

$("picture").onerror = () => setTimeout(showStream, 1000);
setInterval(() => {
  if (heard && Date.now() - heard > 5000) $("state").textContent = "no news for 5 s";
}, 1000);

$("toggle").onclick = async () => {
  const answer = await fetch(running ? "api/stop" : "api/start", { method: "POST" });
  if (!answer.ok) complain(await answer.text());
};

// --- drawing ------------------------------------------------------------------------------------
const canvas = $("canvas");
const pen = canvas.getContext("2d");
const PAUSE_MS = 500; // after the last stroke the drawing is read by itself
let last = null;
let waiting = null;

function clearCanvas() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  clearTimeout(waiting);
  say("Draw a digit, or drop a picture on this page.", "note");
  $("details").replaceChildren();
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
}

function stroke(from, to) {
  pen.strokeStyle = "#000";
  pen.lineWidth = 30;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(...to);
  pen.stroke();
}

canvas.onpointerdown = (event) => {
  canvas.setPointerCapture(event.pointerId);
  clearTimeout(waiting);
  last = place(event);
  stroke(last, last);
};
canvas.onpointermove = (event) => {
  if (last === null) return;
  for (const part of event.getCoalescedEvents?.() ?? [event]) {
    const next = place(part);
    stroke(last, next);
    last = next;
  }
};
canvas.onpointerup = canvas.onpointercancel = () => {
  last = null;
  clearTimeout(waiting);
  waiting = setTimeout(() => canvas.toBlob(send, "image/png"), PAUSE_MS);
};
$("clear").onclick = clearCanvas;

// --- pictures -----------------------------------------------------------------------------------
function say(text, kind) {
  $("answer").textContent = text;
  $("answer").className = kind;
}
const complain = (text) => say(text, "bad");

function readFile(file) {
  clearCanvas(); // what is there is not what the answer is about
  send(file);
}

async function send(blob) {
  say("reading …", "note");
  $("details").replaceChildren();
  try {
    const answer = await fetch("api/read", { method: "POST", body: blob, headers: { "Content-Type": blob.type || "application/octet-stream" } });
    if (!answer.ok) return complain(await answer.text());
    const result = await answer.json();
    say(result.text.replaceAll("|", " | ") || "nothing was found", result.text ? "" : "note");
    $("details").replaceChildren(...result.readings.map((reading) => {
      const item = document.createElement("li");
      item.textContent = `${reading.label}  ${(100 * reading.probability).toFixed(1)} %`;
      return item;
    }));
  } catch {
    complain("The board does not answer.");
  }
}

$("file").onchange = (event) => { if (event.target.files[0]) readFile(event.target.files[0]); event.target.value = ""; };
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
addEventListener("dragleave", () => document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0]) readFile(event.dataTransfer.files[0]);
});

clearCanvas();
// Only after the page has loaded: a stream never ends loading, and the browser would show that it waits.
addEventListener("load", () => {
  showStream();
  follow();
});
