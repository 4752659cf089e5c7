"""What speaks for a release: SBOM, VEX and provenance, read strictly and judged by a policy; pure."""
