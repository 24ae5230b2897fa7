// The page of a share link: sends its secret, which no address that the server sees has in it,
// and goes on to the document.

const state_el = document.getElementById("state")
const problem_el = document.getElementById("problem")
const again_el = document.getElementById("again")

function fail(text, may_help = false) {
  state_el.hidden = true
  problem_el.textContent = text
  problem_el.hidden = false
  again_el.hidden = !may_help
}

async function follow() {
  const secret = location.hash.slice(1)
  if (secret === "") {
    fail("This link was not copied whole: the part behind the # is missing. Ask whoever sent it for all of it.")
    return
  }
  state_el.hidden = false
  problem_el.hidden = again_el.hidden = true
  let answer
  try {
    answer = await fetch(location.pathname, {
      method: "POST",
      headers: {Accept: "application/json", "Content-Type": "application/json"},
      body: JSON.stringify({secret}),
    })
  } catch {
    fail("The server does not answer.", true)
    return
  }
  const {url, detail} = await answer.json().catch(() => ({}))
  if (answer.ok && url != null) {
    location.replace(url)
  } else {
    fail(detail ?? `The server answered ${answer.status}.`, answer.status === 429 || answer.status >= 500)
  }
}

document.getElementById("retry").addEventListener("click", follow)
addEventListener("hashchange", follow)
follow()
