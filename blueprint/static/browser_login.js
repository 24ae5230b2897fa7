// The page that a script opens to log this browser in: asks first, as whom.

const question_el = document.getElementById("question")
const problem_el = document.getElementById("problem")
const button_el = document.getElementById("agree")

async function send(confirm) {
  const answer = await fetch(location.pathname, {
    method: "POST",
    headers: {Accept: "application/json", "Content-Type": "application/json"},
    body: JSON.stringify({code: location.hash.slice(1), confirm}),
  })
  const value = await answer.json().catch(() => ({}))
  if (!answer.ok) {
    throw new Error(value.detail ?? `The server answered ${answer.status}.`)
  }
  return value
}

function fail(error) {
  question_el.hidden = true
  problem_el.textContent = error instanceof TypeError ? "The server does not answer." : error.message
  problem_el.hidden = false
}

async function ask() {
  problem_el.hidden = true
  const {username, present} = await send(false)
  document.getElementById("name").textContent = username
  document.getElementById("present").textContent = present ?? ""
  document.getElementById("instead").hidden = present == null || present === username
  button_el.textContent = `Log in as ${username}`
  question_el.hidden = false
  button_el.focus()
}

document.getElementById("confirm").addEventListener("submit", (event) => {
  event.preventDefault()
  button_el.disabled = true
  send(true).then(({url}) => location.replace(url)).catch(fail)
})
addEventListener("hashchange", () => ask().catch(fail))
ask().catch(fail)
