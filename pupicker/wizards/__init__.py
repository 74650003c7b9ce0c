"""Wizards of the plugin; Scipion finds the classes imported here.

``wizard_diameter``, ``wizard_prior`` (particles a micrograph), ``wizard_detection`` (picks before the run),
``wizard_attribute`` (which score), ``wizard_model`` (of the library).
"""

from pupicker.wizards.wizard_attribute import PuPickerAttributeWizard
from pupicker.wizards.wizard_detection import PuPickerDetectionWizard
from pupicker.wizards.wizard_diameter import PuPickerDiameterWizard
from pupicker.wizards.wizard_model import PuPickerModelWizard
from pupicker.wizards.wizard_prior import PuPickerPriorWizard

__all__ = ["PuPickerAttributeWizard", "PuPickerDetectionWizard", "PuPickerDiameterWizard", "PuPickerModelWizard",
           "PuPickerPriorWizard"]
