/**
 * @param {string} id of an element that the page is never without
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`The page has no ${id}`)
  return element
}

/**
 * @template {Element} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function ofKind(id, kind) {
  const element = byId(id)
  if (!(element instanceof kind)) throw new Error(`${id} is no ${kind.name}`)
  return element
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} [attributes]
 * @param {...(Node | string)} children
 */
export function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value))
  element.append(...children)
  return element
}

/**
 * Touches the page only where the text is another one: what somebody has marked stays marked.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/** @param {string} id @param {string} text */
export function sayIn(id, text) {
  say(byId(id), text)
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value)
}

/** A cell: its text, or what makes something of it; `th` for the head of its row. @typedef {string | ((cell: HTMLElement) => void)} Cell */

/**
 * Rows of a table, the first cell of each its head. Rows that are there are used again.
 * @param {Element} body
 * @param {readonly (readonly Cell[])[]} rows
 * @param {string} [otherwise] what an empty table says
 */
export function fill(body, rows, otherwise = 'Nothing yet') {
  const shown = rows.length === 0 ? [[otherwise]] : rows
  while (body.children.length > shown.length) body.lastElementChild?.remove()
  for (const [n, cells] of shown.entries()) {
    const row = body.children[n] ?? body.appendChild(make('tr'))
    while (row.children.length > cells.length) row.lastElementChild?.remove()
    for (const [at, cell] of cells.entries()) {
      const isHead = at === 0 && rows.length > 0
      const there = row.children[at] ?? row.appendChild(isHead ? make('th', { scope: 'row' }) : make('td'))
      const element = there.matches(isHead ? 'th' : 'td')
        ? there
        : make(isHead ? 'th' : 'td', isHead ? { scope: 'row' } : {})
      if (element !== there) there.replaceWith(element)
      if (typeof cell === 'string') say(element, cell)
      else if (element instanceof HTMLElement) cell(element)
    }
    if (rows.length === 0) row.firstElementChild?.setAttribute('colspan', '20')
    else row.firstElementChild?.removeAttribute('colspan')
  }
}

/**
 * A cell with one element of its own, which is made once and then brought up to date.
 * @template {Element} Kind
 * @param {() => Kind} create
 * @param {(element: Kind) => void} update
 * @returns {Cell}
 */
export function holding(create, update) {
  return (cell) => {
    const [first] = cell.children
    if (first === undefined || cell.childNodes.length !== 1) cell.replaceChildren(create())
    // The same cell always holds the same kind.
    update(/** @type {Kind} */ (cell.firstElementChild))
  }
}
