"""Classifies images: python -m experiments.predict RUN_DIR IMAGES_OR_FOLDER."""

from transfer_jax.cli import predict

if __name__ == '__main__':
    predict.main()
