// What a shell and the frame in it say to each other: a few words, each of a known form.
//
// The frame runs its author's JavaScript, so that nothing it says can be relied upon: what is not
// of such a form is dropped, and texts are cut and only ever shown as texts.

import {WORDS} from "./common.js"
import {HEIGHT, WIDTH} from "./thumbnail.js"

const LONGEST = 300     // characters of what is shown
const HIGHEST = 20000   // pixels

const text = (value) => typeof value === "string" ? value.slice(0, LONGEST) : undefined
const flag = (value) => typeof value === "boolean" ? value : undefined
const number = (most) => (value) => Number.isInteger(value) && value >= 0 && value <= most ? value : undefined
const one_of = (...words) => (value) => words.includes(value) ? value : undefined
const optional = (form) => (value) => value == null ? null : form(value)
const anything = (value) => value
const bytes = (most) => (value) => value instanceof ArrayBuffer && value.byteLength <= most ? value : undefined

// What a frame says: it is there; how it is connected; what it shows and how high that is;
// that it needs a ticket; that there is something to draw for the gallery, and what was drawn.
export const OF_FRAME = {
  hello: {},
  state: {state: one_of(...Object.keys(WORDS)), detail: text, has_document: flag},
  report: {what: one_of("shown", "failed", "gone"), detail: text},
  title: {title: text},
  size: {height: number(HIGHEST)},
  ticket: {id: number(2 ** 31)},
  changed: {seq: number(Number.MAX_SAFE_INTEGER), whole: flag},
  picture: {width: number(WIDTH), height: number(HEIGHT), pixels: bytes(4 * WIDTH * HEIGHT)},
}

// What a shell says: is somebody there; what to show; to try at once; to draw it for the gallery;
// a ticket, or why none.
export const OF_SHELL = {
  call: {},
  start: {config: anything},
  retry: {},
  draw: {},
  ticket: {
    id: number(2 ** 31), ticket: optional(anything), status: optional(number(599)), detail: optional(text),
  },
}

// What a shell says to the page that it is embedded in.
export const OF_EMBEDDED = {size: OF_FRAME.size}

// Calls heard[what](fields) for what some window says; origin: null where it has none.
export function hear(source, origin, forms, heard) {
  addEventListener("message", (event) => {
    if (event.source === source && event.origin === origin) {
      const what = event.data?.bokeh_server
      const fields = typeof what === "string" && Object.hasOwn(forms, what) ? read(event.data, forms[what]) : null
      if (fields != null) {
        heard[what](fields)
      }
    }
  })
}

function read(data, form) {
  const fields = {}
  for (const [name, check] of Object.entries(form)) {
    fields[name] = check(data[name])
    if (fields[name] === undefined) {
      return null
    }
  }
  return fields
}
