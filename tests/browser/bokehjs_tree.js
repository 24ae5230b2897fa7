// Loads a document in BokehJS, applies patches to it, and says what it then is made of.
(() => {
  const {Document} = Bokeh.require("document")
  const {HasProps} = Bokeh.require("core/has_props")
  const INTEGERS = new Set(["int32", "uint32", "object"])

  function canonical_array(items, dtype, shape, seen) {
    const values = Array.from(items, (item) => canonical(item, seen))
    const whole = INTEGERS.has(dtype) && values.every((each) => Number.isSafeInteger(each))
    return {array: values, dtype: whole ? "whole" : dtype, shape}
  }

  // Playwright gives large numbers as whole ones, which Python takes for more exact than they are.
  function canonical_number(value) {
    const plain = Number.isFinite(value) && Math.abs(value) < 2**53
    return plain ? (value === 0 ? 0 : value) : {number: String(value)}
  }

  function by_key(pairs) {
    const unique = new Map(pairs.map(([key, value]) => [JSON.stringify(key), [key, value]]))
    return [...unique.keys()].sort().map((key) => unique.get(key))
  }

  function canonical(value, ids) {
    if (value === null || value === undefined) {
      return null
    }
    switch (typeof value) {
      case "boolean": return {bool: value}
      case "number": return canonical_number(value)
      case "string": return value
    }
    if (value instanceof HasProps) {
      return ids.has(value.id) ? {ref: value.id} : {model: value.type}
    }
    if (ArrayBuffer.isView(value) || (Array.isArray(value) && "dtype" in value)) {
      const dtype = value.dtype ?? value.constructor.name.replace("Array", "").toLowerCase()
      const items = dtype == "bool" ? Array.from(value, Boolean) : value
      return canonical_array(items, dtype, [...(value.shape ?? [value.length])], ids)
    }
    if (value instanceof ArrayBuffer) {
      return {bytes: [...new Uint8Array(value)]}
    }
    if (Array.isArray(value)) {
      return value.map((each) => canonical(each, ids))
    }
    if (value instanceof Set) {
      return {set: by_key([...value].map((each) => [canonical(each, ids), 0])).map(([key]) => key)}
    }
    const pairs = value instanceof Map ? [...value] : Object.entries(value)
    const said = pairs.filter(([, each]) => each !== undefined)
    return {map: by_key(said.map(([key, each]) => [canonical(key, ids), canonical(each, ids)]))}
  }

  function tree(doc, ids) {
    doc._recompute_all_models()
    const known = new Set(ids)
    const models = {}
    const called = [...doc._document_callbacks.values()].flat().flatMap((each) => [...each.references()])
    for (const model of [...doc._all_models.values(), ...called]) {
      if (known.has(model.id)) {
        const attributes = {}
        for (const prop of model) {
          if (prop.syncable && !prop.is_unset) {
            attributes[prop.attr] = canonical(prop.get_value(), known)
          }
        }
        const changed = [...model].filter((prop) => prop.syncable && prop.dirty).map((prop) => prop.attr)
        models[model.id] = {type: model.type, attributes, changed}
      }
    }
    const callbacks = [...doc._document_callbacks].map(([name, some]) => [name, some.map((each) => each.id)])
    return {title: doc.title(), roots: doc.roots().map((root) => root.id), config: doc.config.id, models, callbacks}
  }

  function to_buffers(buffers) {
    return new Map(Object.entries(buffers).map(([id, text]) => {
      return [id, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer]
    }))
  }

  function load({content, buffers}) {
    return Document.from_json(JSON.parse(content), undefined, to_buffers(buffers))
  }

  window.load_tree = (pulled, ids) => tree(load(pulled), ids)

  window.follow_tree = (pulled, patches, ids) => {
    const doc = load(pulled)
    doc.heard = []
    doc.on_message("mine", (data) => doc.heard.push(data))
    for (const {content, buffers} of patches) {
      doc.apply_json_patch(JSON.parse(content), to_buffers(buffers))
    }
    return {...tree(doc, ids), heard: doc.heard.map((data) => canonical(data, new Set(ids)))}
  }
})()
