// Whether somebody holds something on this page: a mouse button, a finger, a pen.
//
// Only what can drag counts: the main button, and whatever touches. Browsers tell of an end in
// many ways, and of some ends not at all: a menu that opens under the pointer swallows it, and so
// do other windows. So every movement is asked whether the button is still down; and who neither
// moves nor lets go for a while holds nothing, until there is a movement again.

const STILL = 10000  // ms

const MAIN = 1  // of event.buttons

export class Pointers {
  // changed(is_held): the first pointer came, or the last went.
  constructor(changed, still = STILL) {
    this._changed = changed
    this._still = still
    this._held = new Set()
  }

  // Hear of everything that happens in a window.
  listen(target) {
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      target.addEventListener(type, (event) => this._look(event), {capture: true, passive: true})
    }
    for (const type of ["contextmenu", "blur", "pagehide"]) {
      target.addEventListener(type, (event) => this._leave(event, target), true)
    }
    target.document.addEventListener("visibilitychange", () => this._let_go())
  }

  get is_held() {
    return this._held.size > 0
  }

  _look({type, pointerId, buttons}) {
    const was_held = this.is_held
    if ((buttons & MAIN) !== 0 && type !== "pointercancel") {
      this._held.add(pointerId)
      this._wait()
    } else {
      this._held.delete(pointerId)
    }
    this._tell(was_held)
  }

  // Fields lose the focus, too, without the window being left.
  _leave({type, target}, window) {
    if (type !== "blur" || target === window) {
      this._let_go()
    }
  }

  _let_go() {
    const was_held = this.is_held
    this._held.clear()
    this._tell(was_held)
  }

  _wait() {
    clearTimeout(this._timer)
    this._timer = setTimeout(() => this._let_go(), this._still)
  }

  _tell(was_held) {
    if (!this.is_held) {
      clearTimeout(this._timer)
    }
    if (was_held !== this.is_held) {
      this._changed(this.is_held)
    }
  }
}
