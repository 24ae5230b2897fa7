// The page of all users, for admins: limits, and who may log in.

import {ask, complain} from "./requests.js"

const config = JSON.parse(document.getElementById("bokeh-server-config").textContent)
const MEGABYTE = 1024 ** 2
const find_el = document.getElementById("find")
const limits_el = document.getElementById("limits")
const documents_el = document.getElementById("most-documents")
const megabytes_el = document.getElementById("most-megabytes")
const wrong_el = document.getElementById("limits-wrong")
const confirm_el = document.getElementById("confirm-disable")
const rows = [...document.querySelectorAll("#users .user")]

function readable(size) {
  for (const unit of ["bytes", "KB", "MB"]) {
    if (size < 1024) {
      return unit === "bytes" ? `${size} bytes` : `${size.toFixed(1)} ${unit}`
    }
    size /= 1024
  }
  return `${size.toFixed(1)} GB`
}

function change(row, body) {
  return ask("PATCH", `${config.root}/bokeh/users/${encodeURIComponent(row.dataset.name)}`, body)
}

// Says of a user what the server answered.
function tell(row, user) {
  const {documents, bytes, most_documents, most_bytes, disabled} = user
  const many = most_documents == null ? "" : ` of ${most_documents || "any number"}`
  const much = most_bytes == null ? "" : ` of ${most_bytes ? readable(most_bytes) : "any size"}`
  row.querySelector(".documents").textContent = `${documents} document${documents === 1 ? "" : "s"}${many}`
  row.querySelector(".size").textContent = `${readable(bytes)}${much}`
  row.dataset.documents = most_documents ?? ""
  row.dataset.bytes = most_bytes ?? ""
  row.dataset.disabled = disabled != null
  show(row)
}

function show(row) {
  const disabled = row.dataset.disabled === "true"
  row.querySelector(".tag.off").hidden = !disabled
  row.querySelector(".limit").hidden = false
  row.querySelector(".disable")?.toggleAttribute("hidden", disabled)
  row.querySelector(".enable")?.toggleAttribute("hidden", !disabled)
}

async function set_disabled(row, disabled) {
  const problem = row.querySelector(".problem")
  try {
    tell(row, await change(row, {disabled}))
    complain(problem, null)
  } catch (error) {
    complain(problem, error)
  }
  row.querySelector(".disable:not([hidden]), .enable:not([hidden])").focus()
}

function ask_disable(row) {
  confirm_el.querySelector("bdi").textContent = row.dataset.name
  confirm_el.returnValue = ""
  confirm_el.onclose = () => {
    if (confirm_el.returnValue === "disable") {
      set_disabled(row, true)
    }
  }
  confirm_el.showModal()
}

function ask_limits(row) {
  const {documents, bytes} = row.dataset
  limits_el.querySelector("bdi").textContent = row.dataset.name
  documents_el.value = documents
  megabytes_el.value = bytes === "" ? "" : Math.round(bytes / MEGABYTE * 1000) / 1000
  documents_el.placeholder = config.documents || "any number"
  megabytes_el.placeholder = config.bytes ? Math.round(config.bytes / MEGABYTE) : "any size"
  complain(wrong_el, null)
  document.getElementById("limits-form").onsubmit = async (event) => {
    event.preventDefault()
    const number = ({value}, by) => value === "" ? null : Math.round(value * by)
    const body = {most_documents: number(documents_el, 1), most_bytes: number(megabytes_el, MEGABYTE)}
    try {
      tell(row, await change(row, body))
      limits_el.close()
    } catch (error) {
      complain(wrong_el, error)
    }
  }
  limits_el.showModal()
}

function look() {
  const wanted = find_el.value.trim().toLowerCase()
  const found = rows.filter((row) => {
    row.hidden = !row.dataset.name.includes(wanted)
    return !row.hidden
  })
  document.getElementById("count").textContent = found.length
  document.getElementById("nobody").hidden = found.length > 0
  document.getElementById("users").hidden = found.length === 0
}

for (const row of rows) {
  row.querySelector(".limit").addEventListener("click", () => ask_limits(row))
  row.querySelector(".disable")?.addEventListener("click", () => ask_disable(row))
  row.querySelector(".enable")?.addEventListener("click", () => set_disabled(row, false))
  show(row)
}
document.getElementById("limits-cancel").addEventListener("click", () => limits_el.close())
find_el.addEventListener("input", look)
look()
