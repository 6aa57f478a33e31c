FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# Where the embedded database goes when there is no DATABASE_URL.
RUN mkdir .data && chown node:node .data
USER node
# node itself is process 1: npm would swallow the SIGTERM that begins the drain.
CMD ["node", "dist/server.js"]
