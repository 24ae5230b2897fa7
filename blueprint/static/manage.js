// Renaming and deleting a document on its page.

import {ask, complain, document_url} from "./requests.js"

export function start_managing(config) {
  document.querySelectorAll("dialog [data-close]").forEach((button) => {
    button.addEventListener("click", () => button.closest("dialog").close())
  })
  if (document.getElementById("rename-dialog") != null) {
    start_renaming(config)
    document.getElementById("delete")?.addEventListener("click", () => ask_delete(config))
  }
}

function start_renaming(config) {
  const dialog = document.getElementById("rename-dialog")
  const field = document.getElementById("new-title")
  const wrong = document.getElementById("rename-wrong")
  field.maxLength = config.title_length
  const open = () => {
    field.value = config.title
    complain(wrong, null)
    tell_other_title(config.title)
    dialog.showModal()
    field.select()
  }
  document.getElementById("rename")?.addEventListener("click", open)
  document.getElementById("rename-too")?.addEventListener("click", open)
  document.getElementById("rename-form").addEventListener("submit", async (event) => {
    event.preventDefault()
    try {
      const {title} = await ask("PATCH", document_url(config), {title: field.value.trim()})
      config.title = title
      dialog.close()
    } catch (error) {
      complain(wrong, error)
      field.focus()
    }
  })
}

// A script may have set a title of its own, which is shown in place of the stored one.
function tell_other_title(stored) {
  const shown = document.getElementById("title").textContent
  const hint = document.getElementById("rename-hint")
  hint.hidden = shown === stored
  hint.textContent = `This page shows “${shown}”, the title that a script gave the document. ` +
    "Renaming it changes both, until a script sets its title again."
}

function ask_delete(config) {
  const dialog = document.getElementById("confirm-delete")
  dialog.querySelector("bdi").textContent = document.getElementById("title").textContent
  dialog.returnValue = ""
  dialog.onclose = async () => {
    if (dialog.returnValue !== "delete") {
      document.getElementById("more-button").focus()
      return
    }
    try {
      await ask("DELETE", document_url(config))
      location.assign(`${config.root}/bokeh/`)
    } catch (error) {
      const notice = document.getElementById("standing")
      complain(notice, error)
    }
  }
  dialog.showModal()
}
