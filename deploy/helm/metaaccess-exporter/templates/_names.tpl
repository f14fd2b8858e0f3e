{{/* A name of at most 63 characters: a longer one ends with a hash of all of it, so that no two become the same. */}}
{{- define "metaaccess-exporter.short" -}}
{{- if gt (len .) 63 -}}
{{- printf "%s-%s" (. | trunc 54 | trimSuffix "-") (sha256sum . | trunc 8) -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* The name of all objects. */}}
{{- define "metaaccess-exporter.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- include "metaaccess-exporter.short" .Release.Name -}}
{{- else -}}
{{- include "metaaccess-exporter.short" (printf "%s-%s" .Release.Name $name) -}}
{{- end -}}
{{- end -}}

{{/* The name of one object of several of a kind: (list $ "overview"). */}}
{{- define "metaaccess-exporter.named" -}}
{{- include "metaaccess-exporter.short" (printf "%s-%s" (include "metaaccess-exporter.fullname" (first .)) (last .)) -}}
{{- end -}}

{{- define "metaaccess-exporter.serviceAccountName" -}}
{{- $own := ternary (include "metaaccess-exporter.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $own -}}
{{- end -}}

{{/* What selectors go by: it can never change. */}}
{{- define "metaaccess-exporter.releaseLabels" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The same for the exporter alone, and not for the pod of `helm test`. */}}
{{- define "metaaccess-exporter.selectorLabels" -}}
{{ include "metaaccess-exporter.releaseLabels" . }}
app.kubernetes.io/component: exporter
{{- end -}}

{{/* The labels of an object: (list $ OTHERS…), of which none replaces one of ours. */}}
{{- define "metaaccess-exporter.labels" -}}
{{- $root := first . -}}
{{- $version := $root.Values.image.tag | default $root.Chart.AppVersion -}}
{{- $labels := include "metaaccess-exporter.releaseLabels" $root | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/version" ($version | trunc 63 | trimAll "-._") -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimAll "-._") -}}
{{- range append (rest .) $root.Values.commonLabels -}}
{{- $labels = merge $labels . -}}
{{- end -}}
{{- toYaml $labels -}}
{{- end -}}

{{/* The labels of a pod: (list $ COMPONENT). Those that change with each version of the chart would restart it. */}}
{{- define "metaaccess-exporter.podLabels" -}}
{{- $root := first . -}}
{{- $labels := include "metaaccess-exporter.releaseLabels" $root | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/component" (last .) -}}
{{- merge $labels $root.Values.podLabels $root.Values.commonLabels | toYaml -}}
{{- end -}}

{{/* A number in digits, whatever its size: Helm holds those of values as floats. */}}
{{- define "metaaccess-exporter.number" -}}
{{- toJson . | trimAll "\"" -}}
{{- end -}}

{{- define "metaaccess-exporter.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s%s@%s" $image.repository (ternary (printf ":%s" $image.tag) "" (ne $image.tag "")) $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
