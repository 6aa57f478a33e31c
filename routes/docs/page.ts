/** The page, its start and its looks. Everything comes from this service, and nothing is inline: routes/pages.ts allows no more. */
export const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>Roundhouse API</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
    <link rel="stylesheet" href="/docs/page.css" />
  </head>
  <body>
    <main id="reference"><noscript>This page needs JavaScript. <a href="/openapi.json">/openapi.json</a> has the same.</noscript></main>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`

export const START = `const dark = matchMedia('(prefers-color-scheme: dark)')
const apply = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', apply)
apply()
SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  filter: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  tagsSorter: 'alpha',
  validatorUrl: null,
})
`

export const STYLE = `html { background: #fff }
html.dark-mode { background: #1c2022 }
body { margin: 0 }
/* What is too wide for a phone is scrolled by itself. */
.swagger-ui .opblock-body { overflow-x: auto }
.swagger-ui .response-col_description { overflow-wrap: anywhere }
`
