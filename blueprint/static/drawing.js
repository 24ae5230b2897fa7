// Draws a small picture of what a page shows, and tells when there is something new to draw.

import {HEIGHT, WIDTH} from "./thumbnail.js"

const QUIET = 3000       // ms without a change,
const LONGEST = 15000    // ms after the first one where they never end
const TALLEST = 1.05     // of the width; what is further down is left out
const MOST_PIXELS = 16e6 // of one plot
const LARGEST = 2        // times its size

// Calls tell(seq, whole) when the page was quiet after something it shows had changed.
export function watch_quiet(session, stage, tell) {
  let timer = null
  let since = null
  let followed = null
  const due = () => {
    timer = null
    since = null
    if (session.state === "live" && document.visibilityState === "visible" && stage.shown.size > 0) {
      tell(session.seq, is_whole(session, stage))
    }
  }
  const changed = () => {
    since ??= Date.now()
    clearTimeout(timer)
    timer = setTimeout(due, Math.max(0, Math.min(QUIET, since + LONGEST - Date.now())))
  }
  session.on(() => {
    if (session.document != null && session.document !== followed) {
      followed = session.document
      followed.on_change(changed)
    }
    changed()
  })
  document.addEventListener("visibilitychange", changed)
}

function is_whole(session, stage) {
  const roots = session.document.roots().filter((root) => root.default_view != null)
  return roots.every((root) => stage.shown.has(root))
}

// {width, height, pixels}, or null where nothing can be drawn.
export function draw(session, stage) {
  try {
    const parts = find_parts(session.bk, stage)
    const area = bounds(parts)
    return area == null ? null : paint(parts, area)
  } catch (error) {
    console.warn("no picture could be drawn for the gallery", error)  // an image of another host
    return null
  }
}

function find_parts(bk, stage) {
  const {Plot} = bk.require("models/plots/plot")
  const parts = []
  const walk = (view) => {
    const box = view.el?.getBoundingClientRect()
    if (view.model instanceof Plot) {
      parts.push({view, box, is_plot: true})
    } else if ((view.child_views ?? []).length > 0) {
      view.child_views.forEach(walk)
    } else if (box != null && is_widget(view.model)) {
      parts.push({view, box, is_plot: false})
    }
  }
  for (const {view} of stage.shown.values()) {
    walk(view)
  }
  return parts.filter(({box: {width, height}}) => width >= 1 && height >= 1 && width * height <= MOST_PIXELS)
}

function is_widget(model) {
  return "disabled" in model && "width" in model && !("children" in model)
}

function bounds(parts) {
  if (!parts.some((each) => each.is_plot)) {
    return null
  }
  const boxes = parts.map(({box}) => box)
  const left = Math.min(...boxes.map((each) => each.left))
  const top = Math.min(...boxes.map((each) => each.top))
  const width = Math.max(...boxes.map((each) => each.right)) - left
  const height = Math.min(Math.max(...boxes.map((each) => each.bottom)) - top, TALLEST * width)
  return {left, top, width, height}
}

function paint(parts, {left, top, width, height}) {
  const scale = Math.min(WIDTH / width, HEIGHT / height, LARGEST)
  const canvas = document.createElement("canvas")
  canvas.width = WIDTH
  canvas.height = HEIGHT
  const ctx = canvas.getContext("2d", {willReadFrequently: true})
  ctx.fillStyle = "white"
  ctx.fillRect(0, 0, WIDTH, HEIGHT)
  ctx.imageSmoothingQuality = "high"
  ctx.translate((WIDTH - scale * width) / 2, (HEIGHT - scale * height) / 2)
  ctx.beginPath()
  ctx.rect(0, 0, scale * width, scale * height)
  ctx.clip()
  ctx.scale(scale, scale)
  for (const {view, box, is_plot} of parts) {
    const at = [box.left - left, box.top - top, box.width, box.height]
    if (is_plot) {
      ctx.drawImage(view.export("png", false).canvas, ...at)
    } else {
      sketch(ctx, at)
    }
  }
  const pixels = ctx.getImageData(0, 0, WIDTH, HEIGHT).data.buffer
  return {width: WIDTH, height: HEIGHT, pixels}
}

// Widgets and tables are made of HTML, which no canvas draws: some lines stand for them.
function sketch(ctx, [x, y, width, height]) {
  ctx.fillStyle = "#e2e8f0"
  const step = 25
  for (let line = 0; line < Math.max(1, Math.floor(height / step)); line++) {
    ctx.fillRect(x + 4, y + line * step + 8, Math.max(0, width - 8) * (line % 3 === 2 ? 0.7 : 1), 8)
  }
}
