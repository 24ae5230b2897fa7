// The page of somebody's account: making and revoking tokens.

import {ask, complain, copy_from} from "./requests.js"

const config = JSON.parse(document.getElementById("bokeh-server-config").textContent)
const tokens_url = `${config.root}/bokeh/account/tokens`
const form = document.getElementById("make-token")
const wrong_el = document.getElementById("token-wrong")
const shown_el = document.getElementById("token-shown")
const text_el = document.getElementById("token-text")
const copy_el = document.getElementById("token-copy")
const list_el = document.getElementById("tokens")

form.addEventListener("submit", async (event) => {
  event.preventDefault()
  complain(wrong_el, null)
  try {
    const {token} = await ask("POST", tokens_url, Object.fromEntries(new FormData(form)))
    text_el.textContent = token
    shown_el.hidden = false
    form.reset()
    copy_el.focus()
  } catch (error) {
    complain(wrong_el, error)
  }
})

copy_el.addEventListener("click", () => copy_from(text_el, copy_el))

list_el.addEventListener("click", async (event) => {
  const row = event.target.closest("button.delete")?.closest(".row")
  if (row == null) {
    return
  }
  try {
    await ask("DELETE", `${tokens_url}/${encodeURIComponent(row.dataset.id)}`)
    row.remove()
    list_el.hidden = list_el.children.length === 0
  } catch (error) {
    complain(row.querySelector(".problem"), error)
  }
})
