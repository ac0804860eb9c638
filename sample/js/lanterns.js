// Lanterns that rise over the harbour: a few by themselves, and one for each that a visitor lights.
const canvas = document.querySelector("[data-lanterns]");
const button = document.querySelector("[data-light]");
const output = document.querySelector("[data-lit]");

const context = canvas.getContext("2d");
const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const words = ["One lantern, yours.", "Two of them, side by side.", "Three. The wind is kind tonight."];
let lanterns = [];
let lit = 0;

function resize() {
  const scale = Math.min(devicePixelRatio, 2);
  canvas.width = canvas.clientWidth * scale;
  canvas.height = canvas.clientHeight * scale;
  context.setTransform(scale, 0, 0, scale, 0, 0);
}

function launch({ x = Math.random(), y = 0.78, size = 7 + Math.random() * 9, isOurs = false } = {}) {
  const speed = (12 + size * 1.6) * (isOurs ? 1.5 : 1);
  lanterns.push({ x: x * canvas.clientWidth, y: y * canvas.clientHeight, size, speed, phase: Math.random() * 7, age: 0, isOurs });
}

function draw({ x, y, size, age, phase, isOurs }, time) {
  const flicker = 0.85 + 0.15 * Math.sin(time / 180 + phase * 9);
  const fade = Math.min(1, age) * Math.min(1, Math.max(0, y / (canvas.clientHeight * 0.25)));
  const glow = context.createRadialGradient(x, y, 0, x, y, size * 4);
  glow.addColorStop(0, `rgb(255 176 92 / ${0.55 * flicker * fade})`);
  glow.addColorStop(1, "rgb(255 140 70 / 0)");
  context.fillStyle = glow;
  context.fillRect(x - size * 4, y - size * 4, size * 8, size * 8);
  context.globalAlpha = fade;
  context.fillStyle = isOurs ? "#ffd9a0" : "#ffb96c";
  context.beginPath();
  for (const [dx, dy] of [[-0.5, 0.8], [-0.72, -0.35], [-0.5, -0.9], [0.5, -0.9], [0.72, -0.35], [0.5, 0.8]]) {
    context.lineTo(x + dx * size, y + dy * size);
  }
  context.fill();
  context.globalAlpha = 1;
}

let before = performance.now();
function frame(now) {
  const seconds = Math.min((now - before) / 1000, 0.1);
  before = now;
  context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  for (const lantern of lanterns) {
    lantern.age += seconds;
    lantern.y -= lantern.speed * seconds;
    lantern.x += Math.sin(now / 1400 + lantern.phase) * 9 * seconds;
    draw(lantern, now);
  }
  lanterns = lanterns.filter(({ y }) => y > -40);
  if (lanterns.length < 12 && Math.random() < seconds * 0.8) launch();
  requestAnimationFrame(frame);
}

button.hidden = false;
button.addEventListener("click", () => {
  lit += 1;
  output.textContent = words[lit - 1] ?? `${lit} lanterns on the way to the sea.`;
  if (!isCalm) launch({ x: 0.25 + Math.random() * 0.5, size: 18, isOurs: true });
});

if (!isCalm) {
  addEventListener("resize", resize);
  resize();
  for (let n = 0; n < 7; n += 1) launch({ y: 0.15 + Math.random() * 0.55 });
  requestAnimationFrame(frame);
}
