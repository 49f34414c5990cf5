// Gives style elements that the terminal's renderer makes the nonce of this page, so that the strict policy holds.
{
  const nonce = document.currentScript.nonce
  const make = document.createElement
  document.createElement = function (name, options) {
    const element = make.call(this, name, options)
    if (String(name).toLowerCase() === 'style') element.nonce = nonce
    return element
  }
}
