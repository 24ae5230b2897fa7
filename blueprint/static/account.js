// The page of somebody's account: making and revoking tokens.

const config = JSON.parse(document.getElementById("bokeh-server-config").textContent)
const tokens_url = `${config.root}/bokeh/account/tokens`
const form = document.getElementById("make-token")
const wrong_el = document.getElementById("token-wrong")
const shown_el = document.getElementById("token-shown")
const text_el = document.getElementById("token-text")
const copy_el = document.getElementById("token-copy")
const list_el = document.getElementById("tokens")

async function ask(method, url, body) {
  const headers = {Accept: "application/json", "Content-Type": "application/json"}
  const answer = await fetch(url, {method, headers, body: body && JSON.stringify(body)})
  if (!answer.ok) {
    const {detail} = await answer.json().catch(() => ({}))
    throw new Error(detail ?? `The server answered ${answer.status}.`)
  }
  return answer.status === 204 ? null : answer.json()
}

form.addEventListener("submit", async (event) => {
  event.preventDefault()
  wrong_el.hidden = true
  try {
    const {token} = await ask("POST", tokens_url, Object.fromEntries(new FormData(form)))
    text_el.textContent = token
    shown_el.hidden = false
    form.reset()
    copy_el.focus()
  } catch (error) {
    wrong_el.textContent = error.message
    wrong_el.hidden = false
  }
})

copy_el.addEventListener("click", async () => {
  await navigator.clipboard.writeText(text_el.textContent)
  copy_el.textContent = "Copied"
})

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
    const problem = row.querySelector(".problem")
    problem.textContent = error.message
    problem.hidden = false
  }
})
