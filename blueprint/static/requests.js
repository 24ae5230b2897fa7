// Requests of our pages to this server, and what to say when they fail.

// Gives the JSON of the answer; throws an error whose message can be shown.
export async function ask(method, url, body) {
  const headers = {Accept: "application/json"}
  if (body !== undefined) {
    headers["Content-Type"] = "application/json"
  }
  let answer
  try {
    answer = await fetch(url, {
      method, headers, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch {
    throw new Error("The server cannot be reached. Nothing was changed.")
  }
  if (answer.ok) {
    return answer.status === 204 ? null : answer.json()
  }
  const {detail} = await answer.json().catch(() => ({}))
  const error = new Error(detail ?? `The server answered ${answer.status}.`)
  error.status = answer.status
  throw error
}

export function document_url({root, docid}, path = "") {
  return `${root}/bokeh/doc/${encodeURIComponent(docid)}/${path}`
}

// Shows an error where it belongs; without one it is gone.
export function complain(element, error) {
  element.textContent = error?.message ?? ""
  element.hidden = error == null
}

// Copies a field, or the text of any other element.
// Without HTTPS a page has no clipboard, but can still copy what is selected.
export async function copy_from(field, button) {
  if (field.select != null) {
    field.select()
  } else {
    getSelection().selectAllChildren(field)
  }
  try {
    if (navigator.clipboard != null) {
      await navigator.clipboard.writeText(field.value ?? field.textContent)
    } else if (!document.execCommand("copy")) {
      throw new Error("not copied")
    }
  } catch {
    return  // it is selected: whoever asked can copy it by hand
  }
  const text = button.dataset.text ??= button.textContent
  button.textContent = "Copied"
  clearTimeout(button.timer)
  button.timer = setTimeout(() => { button.textContent = text }, 2000)
}
