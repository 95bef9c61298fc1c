# An image with the service's own files and nothing else. docs/decisions/0001-image.md has the reasons.
# scripts/image-smoke runs these steps without a container engine.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    scripts/image-root auth0-signup /image

# For compose.yaml only: an Auth0 tenant to develop against.
FROM build AS build-emulator
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    scripts/image-root auth0-emulator /emulator-image

FROM scratch AS emulator
COPY --from=build-emulator /emulator-image /
USER 65532:65532
ENTRYPOINT ["/auth0-emulator"]

FROM scratch
COPY --from=build /image /
# The SQLite ledger, and apart from it its key, so that no backup of one holds both. Unused with PostgreSQL
# and SIGNUP__SECRETS__KEY. The only writable paths.
COPY --from=build --chown=65532:65532 /image/data /data
COPY --from=build --chown=65532:65532 /image/key /key
VOLUME /data /key
# One line each: scripts/image-smoke reads ENV, USER, HEALTHCHECK, ENTRYPOINT and CMD from here.
ENV SIGNUP__HTTP__HOST=0.0.0.0 SIGNUP__ADMIN__HOST=0.0.0.0 DATABASE_URL=sqlite:///data/signup.db SIGNUP__SECRETS__KEY_PATH=/key/signup.key
USER 65532:65532
# Probes and metrics on 9090 are only for the cluster's own network.
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/auth0-signup", "healthcheck"]
ENTRYPOINT ["/auth0-signup"]
CMD ["serve"]
