// What opens under a button of the bar: one at a time, by mouse and by keyboard.

let open = null

export function start_menus() {
  for (const button of document.querySelectorAll(".holder > button[aria-controls]")) {
    const drop = document.getElementById(button.getAttribute("aria-controls"))
    button.addEventListener("click", () => drop.hidden ? show(button, drop) : close())
    drop.addEventListener("keydown", (event) => move(event, drop))
    drop.addEventListener("click", (event) => event.target.closest("a, button") != null && close())
    button.parentElement.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !drop.hidden) {
        event.stopPropagation()
        close()
        button.focus()
      }
    })
  }
  document.addEventListener("pointerdown", (event) => {
    if (open != null && !open.button.parentElement.contains(event.target)) {
      close()
    }
  })
  document.addEventListener("focusin", (event) => {
    if (open != null && !open.button.parentElement.contains(event.target)) {
      close()
    }
  })
  addEventListener("blur", () => close())  // into the frame
  for (const entry of document.querySelectorAll("[data-press]")) {
    entry.addEventListener("click", () => document.getElementById(entry.dataset.press).click())
  }
}

function show(button, drop) {
  close()
  open = {button, drop}
  drop.hidden = false
  button.setAttribute("aria-expanded", "true")
  entries(drop)[0]?.focus()
}

function close() {
  if (open != null) {
    open.drop.hidden = true
    open.button.setAttribute("aria-expanded", "false")
    open = null
  }
}

function entries(drop) {
  return [...drop.querySelectorAll("a, button")].filter((each) => each.checkVisibility())
}

function move(event, drop) {
  const steps = {ArrowDown: 1, ArrowUp: -1}
  if (event.key in steps) {
    event.preventDefault()
    const all = entries(drop)
    all.at((all.indexOf(document.activeElement) + steps[event.key]) % all.length)?.focus()
  }
}
