// The page of what was done: times as people say them; the exact ones are in their titles.

const relative = new Intl.RelativeTimeFormat("en", {numeric: "auto"})
const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30]]

function ago(time) {
  let past = (Date.parse(time) - Date.now()) / 1000
  for (const [unit, most] of STEPS) {
    if (Math.abs(past) < most) {
      return relative.format(Math.round(past), unit)
    }
    past /= most
  }
  return new Date(time).toLocaleDateString("en", {dateStyle: "medium"})
}

function tell() {
  for (const el of document.querySelectorAll("#events time")) {
    el.title = new Date(el.dateTime).toLocaleString("en", {dateStyle: "full", timeStyle: "long"})
    el.textContent = ago(el.dateTime)
  }
}

tell()
setInterval(tell, 30000)
