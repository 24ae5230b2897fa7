// Keeps the picture of a document that the gallery shows: asks for one now and then, and stores it.
//
// What draws it may be a frame with its author's JavaScript. So what comes is pixels, as many as
// were asked for and no more often, and it is this page that makes a picture of them.

export const WIDTH = 480, HEIGHT = 300  // pixels, at most

const EVERY = 10 * 60 * 1000  // ms; between two pictures of one document
const PAUSE = 30 * 1000       // ms; between two looks at whether one is wanted

export class Thumbnails {
  // draw(): has a picture drawn, which then comes by `take`.
  constructor({root, docid}, draw) {
    this._url = `${root}/bokeh/doc/${encodeURIComponent(docid)}/thumbnail`
    this._draw = draw
    this._next = 0
    this._asked = false
  }

  // The page is quiet; whole: it shows all of the document, as it is after change `seq`.
  changed(seq, whole) {
    this._latest = {seq, whole}
    const wait = this._next - Date.now()
    if (wait > 0) {
      this._timer ??= setTimeout(() => this._look(), wait)
    } else {
      this._look()
    }
  }

  async _look() {
    clearTimeout(this._timer)
    this._timer = null
    this._next = Date.now() + PAUSE
    const answer = await fetch(this._url, {method: "HEAD", cache: "no-store"}).catch(() => null)
    if (answer?.status === 204) {
      this._ask()
    } else if (answer?.status === 200 && this._latest.whole && Number(answer.headers.get("Bokeh-Seq")) < this._latest.seq) {
      const wait = EVERY - 1000 * Number(answer.headers.get("Bokeh-Age"))
      if (wait > 0) {
        this._next = Date.now() + wait
        this._timer ??= setTimeout(() => this._look(), wait)
      } else {
        this._ask()
      }
    }
  }

  _ask() {
    if (document.visibilityState === "visible") {
      this._asked = true
      this._draw()
    }
  }

  // pixels: red, green, blue and alpha of each, row by row.
  async take({width, height, pixels}) {
    const size = 4 * width * height
    if (!this._asked || size === 0 || width > WIDTH || height > HEIGHT || pixels.byteLength !== size) {
      return
    }
    this._asked = false
    this._next = Date.now() + EVERY
    const {seq} = this._latest
    const blob = await png(width, height, pixels)
    if (blob != null) {
      await fetch(`${this._url}?seq=${seq}`, {method: "PUT", body: blob}).catch(() => null)
    }
  }
}

function png(width, height, pixels) {
  const canvas = document.createElement("canvas")
  canvas.width = width
  canvas.height = height
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0)
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"))
}
