// Loads BokehJS of one version, once for a page, however many plots ask for it.

const MAIN_MODULES = {
  "bokeh-widgets": "models/widgets/main",
  "bokeh-tables": "models/widgets/tables/main",
  "bokeh-gl": "models/glyphs/webgl/main",
  "bokeh-mathjax": "models/text/mathjax/main",
}

const loading = new Map()

function bokeh_of(version) {
  const found = window.Bokeh?.[version] ?? window.Bokeh
  return found?.version === version ? found : null
}

function has_module(bk, name) {
  try {
    bk.require(name)
    return true
  } catch {
    return false
  }
}

function add_script(url) {
  if (!loading.has(url)) {
    loading.set(url, new Promise((resolve, reject) => {
      const script = document.createElement("script")
      script.src = url
      script.crossOrigin = "anonymous"
      script.onload = resolve
      script.onerror = () => {
        loading.delete(url)
        script.remove()
        reject(new Error(`could not load ${url}`))
      }
      document.head.append(script)
    }))
  }
  return loading.get(url)
}

// What every page needs; a page of ours has these in its head already.
export async function load_bokehjs({base, version}) {
  if (bokeh_of(version) == null) {
    await add_script(`${base}bokeh.min.js`)
  }
  const bk = bokeh_of(version)
  if (bk == null) {
    throw new Error(`BokehJS ${version} did not start`)
  }
  await Promise.all(["bokeh-widgets", "bokeh-tables"].map((name) => load_bundle(bk, base, name)))
  return bk
}

async function load_bundle(bk, base, name) {
  if (!has_module(bk, MAIN_MODULES[name])) {
    await add_script(`${base}${name}.min.js`)
  }
}

// The large bundles, when some model of the document needs them.
export async function load_for(models, bk, base) {
  const wanted = new Set()
  for (const model of models) {
    if (model.output_backend === "webgl") {
      wanted.add("bokeh-gl")
    }
    if (has_formula(model)) {
      wanted.add("bokeh-mathjax")
    }
  }
  for (const name of wanted) {
    if (!has_module(bk, MAIN_MODULES[name])) {
      await load_bundle(bk, base, name)
      if (name === "bokeh-mathjax") {
        retry_provider(bk)
      }
    }
  }
}

const FORMULA = /\$\$|\\\[|\\\(/

function has_formula(model) {
  if (/^(TeX|MathML|Ascii)(Glyph)?$/.test(model.type)) {
    return true
  }
  for (const attr of ["text", "title", "axis_label", "label", "value", "html"]) {
    const value = attr in model.properties && !model.properties[attr].is_unset ? model[attr] : null
    if (typeof value === "string" && FORMULA.test(value)) {
      return true
    }
  }
  const overrides = model.major_label_overrides
  return overrides != null && [...(overrides.values?.() ?? [])].some((value) => FORMULA.test(value))
}

// A text that was drawn before the bundle came has marked the provider as failed.
function retry_provider(bk) {
  const provider = bk.require("models/text/providers").default_provider
  if (provider.status === "failed") {
    provider.status = "not_started"
  }
}
