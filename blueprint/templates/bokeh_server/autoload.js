(() => {
  const config = {{ config }}
  const script = document.currentScript ?? document.getElementById(config.elementid)
  const say = (text) => {
    const note = document.createElement("div")
    note.setAttribute("role", "status")
    note.textContent = text
    script.after(note)
  }
  config.script = script.src
  config.root = script.src.split("/bokeh/autoload.js/")[0]
  if (config.bokehjs) {
    config.bokehjs.base = config.root + config.bokehjs.base
  }
  import(config.root + config.module)
    .catch(() => import(config.root + config.module + "?again"))
    .then((module) => module.embed(script, config))
    .catch((error) => say("This plot could not be loaded: " + error.message))
})()
