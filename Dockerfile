# An image with the service's own files and nothing else. docs/decisions/0001-image.md has the reasons.
# scripts/image-smoke runs these steps without a container engine.

FROM rust:1.95.0-slim-bookworm AS build
# The list of parts that a build with --sbom makes covers this stage too.
ARG BUILDKIT_SBOM_SCAN_STAGE=true
WORKDIR /src
COPY . .
# The commit that `auth0-signup --version` names.
ARG SIGNUP_BUILD_COMMIT
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    scripts/image-root auth0-signup /image

# For compose.yaml only: an Auth0 tenant to develop against.
FROM build AS build-emulator
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    scripts/image-root auth0-emulator /emulator-image

FROM scratch AS emulator
COPY --from=build-emulator /emulator-image/root /
USER 65532:65532
ENTRYPOINT ["/auth0-emulator"]

FROM scratch
COPY --from=build /image/root /
# The SQLite ledger, and apart from it the key that is created for it, so that no backup of one holds both. Unused
# with PostgreSQL and SIGNUP__SECRETS__KEY. The only writable paths.
# Group 0 may write too, so that any user of that group can run the image, as OpenShift's do.
# In one step: COPY gives no owner to a folder that is its target, or that is there before.
COPY --from=build --chown=65532:0 /image/volumes /
VOLUME /data /key
# The default database, data/signup.db, is relative to it.
WORKDIR /
# One line each: scripts/image-smoke reads ENV, USER, HEALTHCHECK, ENTRYPOINT and CMD from here. The
# address :: takes IPv6 and IPv4.
# The path of the secret, not the secret.
# hadolint ignore=DL3064
ENV SIGNUP__HTTP__HOST=:: SIGNUP__ADMIN__HOST=:: SIGNUP__SECRETS__KEY_PATH=/key/signup.key
USER 65532:65532
# Probes and metrics on 9090 are only for the cluster's own network.
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/auth0-signup", "healthcheck"]
ENTRYPOINT ["/auth0-signup"]
CMD ["serve"]
